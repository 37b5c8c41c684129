//! What the tests speak with: clusters of real processes, the user's verbs, faults, and the checker.
//!
//! In reading order: [`cluster::Cluster`] starts nodes on [`backends`], [`client::Client`] and [`device::Device`] are
//! the real socket.io-client in a Node process, [`fault_proxy::FaultProxy`] breaks connections, [`checker`] judges.

#![expect(dead_code, reason = "a verb may be here before the flow that speaks it")]

pub mod backends;
pub mod balancer;
pub mod checker;
pub mod client;
pub mod cluster;
pub mod deadline;
pub mod device;
pub mod driver;
pub mod fault_proxy;
pub mod node;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod redis;
pub mod rest;
pub mod scenario;
pub mod token;
