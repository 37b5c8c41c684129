//! The `rookery` program: reads the settings and runs the cluster node.

fn main() {}
