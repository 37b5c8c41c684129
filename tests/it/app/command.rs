//! Runs the program once and tells what it said.

use std::path::Path;
use std::process::Command;

/// What one run of the program came to.
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Runs `rookery` in this folder, with this environment and no other.
pub fn rookery(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rookery"));
    // A developer's own settings must not decide a test.
    command.env_clear().envs(environment.iter().copied());
    let ran = command.current_dir(folder).args(arguments).output().expect("the program was built");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program speaks UTF-8");
    Said { code: ran.status.code().unwrap_or(-1), out: text(ran.stdout), err: text(ran.stderr) }
}

impl Said {
    /// The only line of an error.
    pub fn line(&self) -> &str {
        let line = self.err.trim_end();
        assert!(line.starts_with("rookery: ") && !line.contains('\n'), "not one line: {:?}", self.err);
        line
    }
}
