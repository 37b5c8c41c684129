//! The `rookery` program: reads the settings, starts measuring, does what was asked.

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;
use rookery::app::{self, Command, CommandLine, Failure};
use rookery::auth::install_crypto;
use rookery::config::{Settings, Sources};

/// Many small buffers are freed by another thread than the one that asked for them: what this allocator is good at.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    // The faults that a test asks for by the environment variable FAILPOINTS.
    #[cfg(feature = "failpoints")]
    let _faults = fail::FailScenario::setup();
    let line = CommandLine::parse();
    app::report(run(&line))
}

fn run(line: &CommandLine) -> Result<(), Failure> {
    let settings = Settings::load(&line.sources(Sources::environment_of_process()))?;
    install_crypto().map_err(anyhow::Error::from)?;
    match line.command() {
        Command::Config => app::print_settings(&settings),
        Command::Token(ask) => app::print_token(&settings, &ask),
        Command::Migrate => app::migrate(&settings),
        Command::Serve => app::serve(settings),
    }
}
