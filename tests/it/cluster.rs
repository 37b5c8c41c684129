//! What holds over several real nodes with a real Postgres and Redis, also while something of it is broken.
//!
//! Every fault scenario loads the cluster with devices that keep their cursors, breaks something meanwhile, and prints
//! one line of JSON: `cargo test --features failpoints --test it cluster::` runs all of them, its name runs one.

mod across;
mod clients_cut;
mod member_removed;
mod node_killed;
mod postgres_killed;
mod redis_gone;
