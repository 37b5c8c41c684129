//! Everything that is tested from outside, in one binary: `cargo test --features failpoints --test it [FILTER]`.

#![expect(clippy::unwrap_used, reason = "a test that meets an error has failed, and the panic says where")]
#![expect(
    clippy::disallowed_methods,
    reason = "the tests stand outside: they read the machine's clock and environment"
)]

mod app;
mod chat;
mod cluster;
mod contract;
mod feeds;
mod flow;
mod golden;
mod protocol;
mod readme;
mod rest;
mod schedules;
mod support;
mod tidy;
