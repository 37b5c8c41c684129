//! Everything that is tested from outside, in one binary: `cargo test --features failpoints --test it [FILTER]`.

#![expect(clippy::unwrap_used, reason = "a test that meets an error has failed, and the panic says where")]

mod tidy;
