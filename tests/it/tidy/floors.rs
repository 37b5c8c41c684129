//! Imports go down the floors of docs/ARCHITECTURE.md, and only down.

use super::Violation;
use super::source::SourceFile;

/// The whole building: a module may import those with a smaller number, and itself.
const FLOORS: &[(&str, u8)] = &[
    ("main", 5),
    ("app", 4),
    ("gateway", 3),
    ("rest", 3),
    ("web", 3),
    ("chat", 2),
    ("store", 1),
    ("bus", 1),
    ("presence", 1),
    ("notify", 1),
    ("auth", 1),
    ("protocol", 1),
    ("domain", 0),
    ("config", 0),
    ("telemetry", 0),
];

fn floor(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

pub fn imports_go_down(file: &SourceFile) -> Vec<Violation> {
    let Some(inside) = file.path.strip_prefix("src/") else { return Vec::new() };
    let module = inside.split('/').next().unwrap_or(inside).trim_end_matches(".rs");
    if module == "lib" {
        return Vec::new();
    }
    let violation = |line, mend| Violation { path: file.path.clone(), line, mend };
    let Some(own) = floor(module) else {
        return vec![violation(1, format!("`{module}` stands on no floor: give it one in tests/it/tidy/floors.rs"))];
    };
    imports(file, inside)
        .into_iter()
        .filter(|(_, target)| target != module)
        .filter_map(|(line, target)| match floor(&target) {
            Some(below) if below < own && (module != "protocol" || target == "domain") => None,
            Some(below) => Some(violation(line, upward(module, own, &target, below))),
            None => None,
        })
        .collect()
}

fn upward(module: &str, own: u8, target: &str, below: u8) -> String {
    format!(
        "`{module}` (floor {own}) may not import `{target}` (floor {below}): \
         take what is needed as an argument, or move the shared word down to `domain`"
    )
}

/// Every module of the top level that the file names, with the line.
fn imports(file: &SourceFile, inside: &str) -> Vec<(usize, String)> {
    let depth_of_module = inside.trim_end_matches("/mod.rs").matches('/').count() + 1;
    let mut prefixes = vec!["crate::".to_owned(), "rookery::".to_owned()];
    // In a module of the top level one `super` is the crate; below it the crate is further up.
    prefixes.push("super::".repeat(depth_of_module));
    let mut found = Vec::new();
    for prefix in &prefixes {
        for (at, _) in file.code.match_indices(prefix.as_str()) {
            let before = &file.code[..at];
            if before.ends_with("super::") || before.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                continue;
            }
            let line = before.matches('\n').count() + 1;
            found.extend(first_segments(&file.code[at + prefix.len()..]).into_iter().map(|name| (line, name)));
        }
    }
    found
}

/// `a` of `a::b`, or `a` and `c` of `{a::b, c::{d, e}}`.
fn first_segments(path: &str) -> Vec<String> {
    let Some(group) = path.strip_prefix('{') else { return vec![word(path)] };
    let (mut depth, mut names, mut at_start) = (0, Vec::new(), true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => at_start = true,
            c if at_start && !c.is_whitespace() => {
                names.push(word(&group[at..]));
                at_start = false;
            }
            _ => {}
        }
    }
    names
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}
