//! The rules of CONTRIBUTING.md that no compiler checks, each with a message that says how to mend it.

mod floors;
mod places;
mod shape;
mod source;

use source::{SourceFile, TextFile};

/// One place that breaks a rule, and the way out.
#[derive(Debug)]
struct Violation {
    path: String,
    line: usize,
    /// What is wrong and what to do instead, in one sentence.
    mend: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.mend)
    }
}

/// A rule over one Rust file.
type Rule = fn(&SourceFile) -> Vec<Violation>;

const RULES: &[(&str, Rule)] = &[
    ("floors", floors::imports_go_down),
    ("first line", shape::the_first_line_says_the_job),
    ("length", shape::a_file_is_one_noun),
    ("file name", shape::the_file_name_is_a_noun),
    ("wire names", places::wire_names_live_in_protocol),
    ("sql", places::sql_lives_in_store),
    ("redis", places::redis_lives_in_bus_and_presence),
    ("packets", places::packets_live_in_transport),
    ("bounds", places::every_queue_has_a_bound),
    ("ignored tests", places::no_test_is_ignored),
    ("sleeping tests", places::no_test_sleeps),
];

fn violations(file: &SourceFile) -> Vec<String> {
    RULES.iter().flat_map(|(_, rule)| rule(file)).map(|violation| violation.to_string()).collect()
}

#[test]
fn the_code_keeps_the_rules_that_no_compiler_checks() {
    let files = source::rust_files();
    assert!(files.iter().any(|file| file.path == "src/lib.rs"), "the source tree was not found");
    let found: Vec<String> = files.iter().flat_map(violations).collect();
    assert!(found.is_empty(), "{} places to mend:\n{}", found.len(), found.join("\n"));
}

#[test]
fn no_text_carries_a_note_for_later_or_a_trace_of_one_machine() {
    let found: Vec<String> =
        source::text_files().iter().flat_map(shape::words_that_stay_out).map(|v| v.to_string()).collect();
    assert!(found.is_empty(), "{} places to mend:\n{}", found.len(), found.join("\n"));
}

/// What breaks each rule: (rule, path, text). A rule that finds nothing here would find nothing anywhere.
const PLANTED: &[(&str, &str, &str)] = &[
    ("floors", "src/store/port.rs", "//! Job.\nuse crate::chat::Reader;"),
    ("floors", "src/store/port.rs", "//! Job.\nuse crate::{domain::Event, bus::Bus};"),
    ("floors", "src/rest/router.rs", "//! Job.\nfn f() { crate::gateway::close() }"),
    ("floors", "src/domain/id.rs", "//! Job.\nuse crate::config::Config;"),
    ("floors", "src/store/mod.rs", "//! Job.\nuse super::bus::Bus;"),
    ("floors", "src/chat/feed.rs", "//! Job.\nuse super::super::app::App;"),
    ("floors", "src/attic/mod.rs", "//! Job."),
    ("first line", "src/chat/feed.rs", "use std::fmt;"),
    ("first line", "src/chat/feed.rs", "//! \nuse std::fmt;"),
    ("file name", "src/chat/message_utils.rs", "//! Job."),
    ("file name", "src/helpers/mod.rs", "//! Job."),
    ("wire names", "src/chat/feed.rs", "//! Job.\nconst NAME: &str = \"message:new\";"),
    ("wire names", "src/rest/feed.rs", "//! Job.\nconst NAME: &str = r#\"notification:read-all\"#;"),
    ("sql", "src/chat/feed.rs", "//! Job.\nconst Q: &str = \"SELECT seq FROM events\";"),
    ("sql", "src/app/assemble.rs", "//! Job.\nuse sqlx::PgPool;"),
    ("redis", "src/bus/topic.rs", "//! Job.\nuse fred::prelude::*;"),
    ("packets", "src/gateway/fanout.rs", "//! Job.\nuse engineioxide_core::Packet;"),
    ("bounds", "src/chat/feed.rs", "//! Job.\nlet (tx, rx) = mpsc::unbounded_channel();"),
    ("ignored tests", "tests/it/flow.rs", "//! Job.\n#[ignore]\nfn f() {}"),
    ("sleeping tests", "tests/it/flow.rs", "//! Job.\nasync fn f() { tokio::time::sleep(D).await }"),
];

#[test]
fn every_rule_finds_what_is_planted_for_it() {
    for (name, path, text) in PLANTED {
        let (_, rule) = RULES.iter().find(|(rule, _)| rule == name).unwrap();
        let found = rule(&SourceFile::new(path, text));
        assert_eq!(found.len(), 1, "rule `{name}` on {path}: {text:?} found {found:?}");
    }
    let long = format!("//! Job.\n{}", "\n".repeat(400));
    assert_eq!(shape::a_file_is_one_noun(&SourceFile::new("src/chat/feed.rs", &long)).len(), 1);
    let noted = TextFile { path: "docs/a.md".to_owned(), text: concat!("TO", "DO: later\n/wo", "rk/main").to_owned() };
    assert_eq!(shape::words_that_stay_out(&noted).len(), 2);
}

#[test]
fn comments_and_literals_are_not_taken_for_code() {
    let text = r##"//! Speaks of `crate::app::App` and of "message:new".
/* use crate::app::App; /* nested */ use crate::app::App; */
const A: &str = "use crate::app::App; \" unbounded_channel";
const B: &str = r#"use crate::app::App; " unbounded"#;
const C: char = '"'; // "message:new"
fn f<'a>(x: &'a str) -> &'a str { x } // crate::app
"##;
    let file = SourceFile::new("src/chat/feed.rs", text);
    assert_eq!(violations(&file), Vec::<String>::new());
    assert_eq!(file.literals.iter().map(|l| l.line).collect::<Vec<_>>(), [3, 4]);
}

#[test]
fn a_module_may_import_what_lies_below_it_and_its_own_parts() {
    let text =
        "//! Job.\nuse crate::chat::feed::Feed;\nuse crate::{domain::{Event, UserId}, store::Store};\nuse super::port;";
    assert_eq!(violations(&SourceFile::new("src/chat/attach.rs", text)), Vec::<String>::new());
    assert_eq!(violations(&SourceFile::new("src/lib.rs", "//! Job.\npub mod domain;")), Vec::<String>::new());
}
