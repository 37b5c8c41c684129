//! The program: assembles a node out of its parts, serves, and ends it in order.

mod command_line;
mod commands;
mod failure;

mod application;
mod assemble;
mod backends;
mod routes;

mod identity;
mod roster;
mod secrets;

mod admin;
mod drain;
mod phase;
mod signals;

pub use application::{Application, Surroundings};
pub use command_line::{Command, CommandLine, TokenAsk};
pub use commands::{migrate, print_settings, print_token, serve};
pub use failure::{Failure, report};
pub use signals::Stop;
