//! The program: assembles a node out of its parts, serves, and ends it in order.

mod command_line;
mod commands;
mod failure;

mod application;

mod identity;
mod secrets;

mod admin;
mod phase;
mod signals;

pub use application::{Application, Surroundings};
pub use command_line::{Command, CommandLine, TokenAsk};
pub use commands::{print_settings, print_token, serve};
pub use failure::{Failure, report};
pub use signals::Stop;
