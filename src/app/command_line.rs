//! What can be asked of the program on the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::config::Sources;

/// A horizontally scalable chat cluster for plain Socket.IO clients.
#[derive(Debug, Parser)]
#[command(name = "rookery", version)]
pub struct CommandLine {
    /// What to do; serve when nothing is said.
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    flags: Flags,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Run a node until SIGTERM or ctrl-c.
    Serve,
    /// Bring the store's schema up to date.
    Migrate,
    /// Print an access token made with the configured secret.
    Token(TokenAsk),
    /// Print the effective settings as TOML, secrets masked.
    Config,
}

/// Whom a token is for.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct TokenAsk {
    /// The user's id.
    #[arg(long, value_name = "ID")]
    pub user: String,
    /// The name that others see.
    #[arg(long)]
    pub name: Option<String>,
    /// How long it is valid: 90s, 15m, 1h, 7d.
    #[arg(long, default_value = "1h", value_parser = humantime::parse_duration)]
    pub ttl: Duration,
}

#[derive(Debug, Args)]
struct Flags {
    /// Settings that go over the defaults, as TOML.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Same as --set server.listen=ADDRESS.
    #[arg(long, global = true, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Same as --set server.admin_listen=ADDRESS.
    #[arg(long, global = true, value_name = "ADDRESS")]
    admin_listen: Option<String>,
    /// Sets any key; goes over everything else. May be repeated.
    #[arg(long, global = true, value_name = "SECTION.KEY=VALUE", value_parser = key_and_value)]
    set: Vec<(String, String)>,
}

fn key_and_value(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) = text.split_once('=').ok_or("expected SECTION.KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

impl CommandLine {
    /// What to do.
    #[must_use]
    pub fn command(&self) -> Command {
        self.command.clone().unwrap_or(Command::Serve)
    }

    /// Where the settings come from, with this environment.
    #[must_use]
    pub fn sources(&self, environment: Vec<(String, String)>) -> Sources {
        let Flags { config, listen, admin_listen, set } = &self.flags;
        let named = [("server.listen", listen), ("server.admin_listen", admin_listen)];
        let named = named.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.clone()?)));
        Sources { file: config.clone(), environment, flags: named.chain(set.iter().cloned()).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_said_means_serve_and_flags_go_anywhere() {
        let line = CommandLine::try_parse_from(["rookery", "--listen", "127.0.0.1:1"]).unwrap();
        assert_eq!(line.command(), Command::Serve);
        let line = ["rookery", "config", "--config", "a.toml", "--listen", "127.0.0.1:1", "--set", "bus.url=memory:"];
        let line = CommandLine::try_parse_from(line).unwrap();
        assert_eq!(line.command(), Command::Config);
        let sources = line.sources(Vec::new());
        assert_eq!(sources.file, Some("a.toml".into()));
        let flags: Vec<_> = sources.flags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(flags, [("server.listen", "127.0.0.1:1"), ("bus.url", "memory:")]);
    }

    #[test]
    fn a_token_needs_a_user_and_lives_an_hour() {
        assert!(CommandLine::try_parse_from(["rookery", "token"]).is_err());
        assert!(CommandLine::try_parse_from(["rookery", "token", "--user", "ann", "--ttl", "soon"]).is_err());
        let line = CommandLine::try_parse_from(["rookery", "token", "--user", "ann"]).unwrap();
        let ask = TokenAsk { user: "ann".into(), name: None, ttl: Duration::from_secs(3_600) };
        assert_eq!(line.command(), Command::Token(ask));
    }
}
