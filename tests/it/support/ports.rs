//! Free ports on the loopback address, each handed out once per test run.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the kernel's range for outgoing connections, so that none of those takes a port between choice and use.
const FIRST: u16 = 11_000;
const COUNT: u16 = 20_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port that nobody listens on. Runs that go on at the same time begin at different places.
pub fn free_port() -> u16 {
    let start = u16::try_from(std::process::id().wrapping_mul(7_919) % u32::from(COUNT)).expect("smaller than COUNT");
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        let port = FIRST + (start + step) % COUNT;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("every port from {FIRST} to {} is taken", FIRST + COUNT);
}
