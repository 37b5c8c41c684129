//! The REST door from outside: real HTTP against a real node.

mod bad_input;
mod conversations;
mod description;
mod history;
mod members;
mod service;
