//! The program as whoever runs it sees it: command line, settings, health, the end.

mod command;
mod life;
mod settings;
