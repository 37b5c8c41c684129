//! What the supervisor says: the first SIGTERM or SIGINT asks for an orderly end, the second one for a quick one.

use std::convert::Infallible;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// How a node is asked to end.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Cancelled: finish what was begun, then end.
    pub orderly: CancellationToken,
    /// Cancelled: end.
    pub quick: CancellationToken,
}

/// The signals of this process.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes the signals over; from here on they no longer end the process by themselves.
    ///
    /// # Errors
    /// When the system does not hand them over.
    pub fn take() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Passes the signals on, for as long as it is polled.
    pub async fn pass_on(mut self, stop: Stop) -> Infallible {
        self.next().await;
        info!("asked to end: draining, a second signal ends at once");
        stop.orderly.cancel();
        loop {
            self.next().await;
            warn!("asked again: ending at once");
            stop.quick.cancel();
        }
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
