//! A request body that has to keep coming.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

/// What any client may take, however little it sends.
const PATIENCE: Duration = Duration::from_secs(10);
/// How fast it must send beyond that.
const BYTES_PER_S_MIN: u64 = 16 * 1024;

/// Ends with an error when a client sends its body more slowly than 16 KiB/s over ten seconds.
pub(super) struct PacedBody {
    body: Incoming,
    deadline: Pin<Box<Sleep>>,
    begun: Instant,
    received_bytes: u64,
}

impl PacedBody {
    pub(super) fn new(body: Incoming) -> Self {
        let begun = Instant::now();
        Self { body, deadline: Box::pin(tokio::time::sleep_until(begun + PATIENCE)), begun, received_bytes: 0 }
    }
}

impl Body for PacedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(frame) = polled {
            if let Some(Ok(frame)) = &frame {
                self.received_bytes += frame.data_ref().map_or(0, Bytes::len) as u64;
                let earned = Duration::from_secs(self.received_bytes / BYTES_PER_S_MIN);
                let deadline = self.begun + PATIENCE + earned;
                if deadline != self.deadline.deadline() {
                    self.deadline.as_mut().reset(deadline);
                }
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(io::Error::other)));
        }
        match self.deadline.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into()))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
