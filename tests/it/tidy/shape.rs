//! What every file looks like from outside: its first line, its length, its name, the words it may not carry.

use super::Violation;
use super::source::{SourceFile, TextFile};

/// The wall; 300 is what is wanted.
const LINES_MAX: usize = 400;

/// Names under which anything gathers.
const DRAWERS: &[&str] = &["util", "utils", "helper", "helpers", "common", "manager", "misc", "shared"];

/// Notes for later, registry hosts, and paths of one machine. Written in halves, so that this list does not find itself.
const STAY_OUT: &[(&str, &str)] = &[
    (concat!("TO", "DO"), "finish it, or write it down where work is planned"),
    (concat!("FIX", "ME"), "finish it, or write it down where work is planned"),
    (concat!("for", " now"), "say what holds and why, or finish it"),
    (
        concat!("registry.npm", "js"),
        "lock files carry no registry: `npm config set omit-lockfile-registry-resolved true`",
    ),
    (concat!("pypi", ".org"), "name the package, not the host it came from"),
    (concat!("static.", "crates"), "name the crate, not the host it came from"),
    (concat!("deb.", "debian"), "name the package, not the host it came from"),
    (concat!("/wo", "rk/"), "the project knows no path of one machine"),
    (concat!("/tmp/", "bash"), "the project knows no path of one machine"),
    (concat!("/ro", "ot/"), "the project knows no path of one machine"),
];

pub fn the_first_line_says_the_job(file: &SourceFile) -> Vec<Violation> {
    let first = file.text.lines().next().unwrap_or_default();
    let says = first.strip_prefix("//! ").is_some_and(|job| !job.trim().is_empty());
    let mend =
        "begin the file with `//! ` and its one job in one sentence; where it needs \"and also\", split the file";
    if says { Vec::new() } else { vec![Violation { path: file.path.clone(), line: 1, mend: mend.to_owned() }] }
}

pub fn a_file_is_one_noun(file: &SourceFile) -> Vec<Violation> {
    let lines = file.text.lines().count();
    let mend = format!("{lines} lines, the wall is {LINES_MAX}: find the second noun in it and give that its own file");
    if lines <= LINES_MAX { Vec::new() } else { vec![Violation { path: file.path.clone(), line: lines, mend }] }
}

pub fn the_file_name_is_a_noun(file: &SourceFile) -> Vec<Violation> {
    let drawer = |name: &str| DRAWERS.contains(&name);
    file.path
        .trim_end_matches(".rs")
        .split('/')
        .filter(|part| part.split('_').any(drawer))
        .map(|part| Violation {
            path: file.path.clone(),
            line: 1,
            mend: format!("`{part}` says nothing: name the file after the noun or the verbs it holds"),
        })
        .collect()
}

pub fn words_that_stay_out(file: &TextFile) -> Vec<Violation> {
    let mut found = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        for (word, mend) in STAY_OUT.iter().filter(|(word, _)| carries(line, word)) {
            found.push(Violation { path: file.path.clone(), line: index + 1, mend: format!("`{word}`: {mend}") });
        }
    }
    found
}

/// Whether the line holds the word by itself, not as a part of a longer one.
fn carries(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let glued_before = word.starts_with(part) && line[..at].ends_with(part);
        let glued_after = word.ends_with(part) && line[at + word.len()..].starts_with(part);
        !glued_before && !glued_after
    })
}
