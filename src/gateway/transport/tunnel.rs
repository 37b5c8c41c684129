//! Carries bytes between a client and the node that owns its connection. Idle, it holds no buffer.

use std::cell::RefCell;
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::net::TcpStream;

use super::upgrade::Switched;

/// Read at most so much in one call; no more than that is ever held for a slow receiver.
const READ_BYTES_MAX: usize = 64 * 1024;
/// After so many reads in one direction other tasks get their turn.
const READS_PER_TURN: u32 = 8;

thread_local! {
    static READ: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES_MAX].into());
}

/// Ends when both sides have ended, or one has broken.
pub(super) struct Tunnel {
    client: TcpStream,
    owner: TcpStream,
    to_owner: Direction,
    to_client: Direction,
}

/// One of the two.
struct Direction {
    /// Read and not yet taken by the other side.
    pending: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The source has ended: so will the other side once it has everything.
    Draining,
    Ended,
}

impl Tunnel {
    pub(super) fn new(client: Switched, owner: Switched) -> Self {
        let direction = |early| Direction { pending: early, state: State::Open };
        Self {
            to_owner: direction(client.early),
            to_client: direction(owner.early),
            client: client.stream,
            owner: owner.stream,
        }
    }
}

impl Future for Tunnel {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let tunnel = self.get_mut();
        let to_owner = tunnel.to_owner.poll(&tunnel.client, &tunnel.owner, context);
        let to_client = tunnel.to_client.poll(&tunnel.owner, &tunnel.client, context);
        match (to_owner, to_client) {
            (Poll::Ready(Err(_)), _) | (_, Poll::Ready(Err(_))) => Poll::Ready(()),
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => Poll::Ready(()),
            (Poll::Pending, _) | (_, Poll::Pending) => Poll::Pending,
        }
    }
}

impl Direction {
    /// Ready once the source has ended and the sink knows.
    fn poll(&mut self, source: &TcpStream, sink: &TcpStream, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        for _ in 0..READS_PER_TURN {
            while !self.pending.is_empty() {
                ready!(sink.poll_write_ready(context))?;
                match sink.try_write(&self.pending) {
                    Ok(written) if written == self.pending.len() => self.pending = Vec::new(),
                    Ok(written) => drop(self.pending.drain(..written)),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
            match self.state {
                State::Open => {
                    ready!(source.poll_read_ready(context))?;
                    self.carry(source, sink)?;
                }
                State::Draining => {
                    // The sink may have gone by itself, and then knows anyway.
                    let _ = SockRef::from(sink).shutdown(Shutdown::Write);
                    self.state = State::Ended;
                }
                State::Ended => return Poll::Ready(Ok(())),
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads once and writes at once what the sink takes.
    fn carry(&mut self, source: &TcpStream, sink: &TcpStream) -> io::Result<()> {
        READ.with_borrow_mut(|buffer| {
            let read = match source.try_read(buffer) {
                Ok(0) => {
                    self.state = State::Draining;
                    return Ok(());
                }
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            let written = match sink.try_write(&buffer[..read]) {
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                Err(error) => return Err(error),
            };
            self.pending.extend_from_slice(&buffer[written..read]);
            Ok(())
        })
    }
}
