//! How the program says that it cannot go on: one line and an exit code.

use std::process::ExitCode;

use crate::config::SettingsError;

/// Why the program ends with an error.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A setting cannot be used. Exit code 2, like a wrong flag.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Something that the settings name does not do what it must. Exit code 1.
    #[error("{0:#}")]
    Start(#[from] anyhow::Error),
}

/// Writes the one line to the standard error, and gives the exit code.
pub fn report(result: Result<(), Failure>) -> ExitCode {
    let Err(failure) = result else { return ExitCode::SUCCESS };
    let line = failure.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    eprintln!("rookery: {line}");
    match failure {
        Failure::Settings(_) => ExitCode::from(2),
        Failure::Start(_) => ExitCode::FAILURE,
    }
}
