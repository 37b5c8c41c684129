//! What every implementation of a port keeps: one suite per port, run over each.

mod bus;
mod bus_node;
mod bus_redis;
pub mod store;
