//! Reads the tree, and separates each Rust file into code, comments and string literals.

use std::fs;
use std::path::Path;

/// A string literal and the line (from 1) it begins on.
pub struct Literal {
    pub line: usize,
    pub text: String,
}

/// A Rust file seen three ways.
pub struct SourceFile {
    /// From the top of the repository, with `/`.
    pub path: String,
    pub text: String,
    /// The text with comments and the insides of literals blanked; lines stay where they are.
    pub code: String,
    pub literals: Vec<Literal>,
}

impl SourceFile {
    pub fn new(path: &str, text: &str) -> Self {
        let mut lexer = Lexer { rest: text, line: 1, code: String::with_capacity(text.len()), literals: Vec::new() };
        while !lexer.rest.is_empty() {
            lexer.step();
        }
        Self { path: path.to_owned(), text: text.to_owned(), code: lexer.code, literals: lexer.literals }
    }

    /// The lines of the code with their numbers, from 1.
    pub fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

/// Any text in the repository.
pub struct TextFile {
    pub path: String,
    pub text: String,
}

/// Every Rust file of the workspace's own code and tests.
pub fn rust_files() -> Vec<SourceFile> {
    let own = |path: &str| path.ends_with(".rs") && (path.starts_with("src/") || path.starts_with("tests/"));
    files(&own).iter().map(|file| SourceFile::new(&file.path, &file.text)).collect()
}

/// Every text a person reads or a tool runs, and the lock files of npm.
pub fn text_files() -> Vec<TextFile> {
    const ENDINGS: &[&str] = &[
        ".rs",
        ".md",
        ".toml",
        ".sh",
        ".js",
        ".mjs",
        ".ts",
        ".json",
        ".yml",
        ".yaml",
        ".sql",
        ".html",
        ".css",
        ".cfg",
        "Makefile",
        "Dockerfile",
        ".ci/run",
    ];
    files(&|path| ENDINGS.iter().any(|ending| path.ends_with(ending)))
}

fn files(wanted: &dyn Fn(&str) -> bool) -> Vec<TextFile> {
    let mut found = Vec::new();
    walk(Path::new(env!("CARGO_MANIFEST_DIR")), "", wanted, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn walk(dir: &Path, prefix: &str, wanted: &dyn Fn(&str) -> bool, found: &mut Vec<TextFile>) {
    const BUILT: &[&str] = &["target", "node_modules", ".git", "data", "dist"];
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let path = format!("{prefix}{name}");
        let kind = entry.file_type().unwrap();
        if kind.is_dir() && !BUILT.contains(&name.as_str()) {
            walk(&entry.path(), &format!("{path}/"), wanted, found);
        } else if kind.is_file() && wanted(&path) {
            found.push(TextFile { text: fs::read_to_string(entry.path()).unwrap(), path });
        }
    }
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    code: String,
    literals: Vec<Literal>,
}

impl Lexer<'_> {
    fn step(&mut self) {
        let bytes = self.rest.as_bytes();
        let after_word = self.code.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        match bytes[0] {
            b'/' if bytes.get(1) == Some(&b'/') => self.blank(self.rest.find('\n').unwrap_or(self.rest.len())),
            b'/' if bytes.get(1) == Some(&b'*') => self.blank(block_comment_end(self.rest)),
            b'"' => self.literal(1, "\"", plain_string_end(self.rest)),
            b'r' if !after_word && raw_quote(bytes).is_some() => self.raw_string(),
            b'\'' => self.blank(char_literal_end(self.rest)),
            _ => self.keep(),
        }
    }

    fn keep(&mut self) {
        let next = self.rest.chars().next().expect("step is called with text left");
        self.line += usize::from(next == '\n');
        self.code.push(next);
        self.rest = &self.rest[next.len_utf8()..];
    }

    fn blank(&mut self, length: usize) {
        let (gone, rest) = self.rest.split_at(length);
        self.code.extend(gone.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        self.line += gone.matches('\n').count();
        self.rest = rest;
    }

    fn literal(&mut self, open: usize, close: &str, length: usize) {
        let inside = &self.rest[open..length.saturating_sub(close.len()).max(open)];
        self.literals.push(Literal { line: self.line, text: inside.to_owned() });
        self.blank(length);
    }

    fn raw_string(&mut self) {
        let hashes = raw_quote(self.rest.as_bytes()).expect("the caller looked");
        let close = format!("\"{}", "#".repeat(hashes));
        let open = hashes + 2;
        let length = self.rest[open..].find(&close).map_or(self.rest.len(), |at| open + at + close.len());
        self.literal(open, &close, length);
    }
}

/// The number of `#` when a raw string begins here.
fn raw_quote(bytes: &[u8]) -> Option<usize> {
    let hashes = bytes[1..].iter().take_while(|b| **b == b'#').count();
    (bytes.get(1 + hashes) == Some(&b'"')).then_some(hashes)
}

fn plain_string_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

fn block_comment_end(text: &str) -> usize {
    let (mut depth, mut at) = (1, 2);
    while depth > 0 && at < text.len() {
        let pair = text.as_bytes().get(at..at + 2);
        depth += i32::from(pair == Some(b"/*")) - i32::from(pair == Some(b"*/"));
        at += if pair == Some(b"/*") || pair == Some(b"*/") { 2 } else { 1 };
    }
    at.min(text.len())
}

/// The end of a character literal, or of the lone quote of a lifetime.
fn char_literal_end(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), _) => text[3..].find('\'').map_or(1, |at| 3 + at + 1),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}
