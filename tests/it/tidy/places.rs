//! What may stand in one place only: wire names, SQL, Redis, packets; and what may stand nowhere.

use super::Violation;
use super::source::SourceFile;

/// The first halves of wire names (`message:new`): the nouns of every vocabulary in `protocol/`.
const WIRE_NOUNS: &[&str] = &[
    "auth",
    "chat",
    "conversation",
    "member",
    "message",
    "notification",
    "order",
    "presence",
    "receipt",
    "room",
    "session",
    "typing",
    "user",
];

/// How a statement begins. Upper case, so that prose in a log line is not taken for it.
const STATEMENTS: &[&str] =
    &["SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "CREATE TABLE", "ALTER TABLE", "WITH ", "BEGIN", "PRAGMA "];

const PACKET_CRATES: &[&str] = &["socketioxide_core", "socketioxide_parser_common", "engineioxide_core"];

fn in_source(file: &SourceFile) -> bool {
    file.path.starts_with("src/")
}

fn lives_in(file: &SourceFile, places: &[&str]) -> bool {
    places.iter().any(|place| file.path.starts_with(place))
}

/// Lines of code that hold one of the words by itself.
fn lines_with(file: &SourceFile, words: &[&str], mend: &str) -> Vec<Violation> {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let whole = |line: &str, word: &str| {
        line.match_indices(word)
            .any(|(at, _)| !line[..at].ends_with(part) && !line[at + word.len()..].starts_with(part))
    };
    file.code_lines()
        .filter(|(_, code)| words.iter().any(|word| whole(code, word)))
        .map(|(line, _)| Violation { path: file.path.clone(), line, mend: mend.to_owned() })
        .collect()
}

fn literals_that(file: &SourceFile, wrong: fn(&str) -> bool, mend: &str) -> Vec<Violation> {
    file.literals
        .iter()
        .filter(|literal| wrong(&literal.text))
        .map(|literal| Violation { path: file.path.clone(), line: literal.line, mend: mend.to_owned() })
        .collect()
}

fn is_wire_name(text: &str) -> bool {
    text.split_once(':').is_some_and(|(noun, verb)| {
        WIRE_NOUNS.contains(&noun) && !verb.is_empty() && verb.chars().all(|c| c.is_ascii_lowercase() || c == '-')
    })
}

pub fn wire_names_live_in_protocol(file: &SourceFile) -> Vec<Violation> {
    if !in_source(file) || lives_in(file, &["src/protocol"]) {
        return Vec::new();
    }
    literals_that(
        file,
        is_wire_name,
        "a wire name: use the `Command`, `Event` or `Signal`, and let a dialect in `protocol/` name it",
    )
}

pub fn sql_lives_in_store(file: &SourceFile) -> Vec<Violation> {
    if !in_source(file) || lives_in(file, &["src/store"]) {
        return Vec::new();
    }
    let is_statement = |text: &str| STATEMENTS.iter().any(|start| text.trim_start().starts_with(start));
    let mut found = literals_that(file, is_statement, "SQL: add a method to the port in `store/` and call that");
    found.extend(lines_with(file, &["sqlx"], "the database driver: only `store/` knows it"));
    found
}

pub fn redis_lives_in_bus_and_presence(file: &SourceFile) -> Vec<Violation> {
    if !in_source(file) || lives_in(file, &["src/bus/redis", "src/presence/redis"]) {
        return Vec::new();
    }
    lines_with(file, &["fred"], "Redis: only `bus/redis` and `presence/redis` know it; use the port")
}

pub fn packets_live_in_transport(file: &SourceFile) -> Vec<Violation> {
    if !in_source(file) || lives_in(file, &["src/gateway/transport"]) {
        return Vec::new();
    }
    lines_with(file, PACKET_CRATES, "Engine.IO and Socket.IO packets: only `gateway/transport/` knows them")
}

pub fn every_queue_has_a_bound(file: &SourceFile) -> Vec<Violation> {
    let words = ["unbounded", "unbounded_channel", "UnboundedSender", "UnboundedReceiver"];
    lines_with(file, &words, "a queue without a bound: use `channel(bound)`, and write down the answer to \"full\"")
}

pub fn no_test_is_ignored(file: &SourceFile) -> Vec<Violation> {
    file.code_lines()
        .filter(|(_, code)| code.contains("#[ignore"))
        .map(|(line, _)| Violation {
            path: file.path.clone(),
            line,
            mend: "a test that is not run tests nothing: mend it or delete it".to_owned(),
        })
        .collect()
}

pub fn no_test_sleeps(file: &SourceFile) -> Vec<Violation> {
    if !file.path.starts_with("tests/") || lives_in(file, &["tests/it/support"]) {
        return Vec::new();
    }
    lines_with(file, &["sleep"], "wait for the event with a deadline, or pause time and advance it")
}
