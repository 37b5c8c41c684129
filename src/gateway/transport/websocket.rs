//! The task of one WebSocket: reads, hands over, drains the outbox, and ends the connection.
//!
//! The only task that a connection has, and a small one: what it reads lands in a buffer of the thread and is worked on there; only the
//! beginning of an incomplete frame is kept.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::tcp::OwnedReadHalf;

use super::application::DisconnectReason;
use super::connection::Connection;
use super::frame::{FIN_PONG, Frame};
use super::inbound::{self, Next};
use super::outbox::{Kind, Phase};
use super::rfc6455::{Decoder, Incoming};

/// Read at most so much in one call.
const READ_BYTES_MAX: usize = 64 * 1024;
/// After so many reads other tasks get their turn.
const READS_PER_TURN: u32 = 8;

thread_local! {
    /// Where a thread reads to. Nothing in it outlives one call of [`Driver::read`].
    static READ: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES_MAX].into());
}

/// Drives one WebSocket from the end of its handshake to the end of the connection.
pub(super) struct Driver {
    connection: Arc<Connection>,
    socket: OwnedReadHalf,
    decoder: Decoder,
    /// Bytes that were read and not yet worked on.
    unread: Vec<u8>,
    /// What the application wants waited for before the next packet.
    waiting: Option<BoxFuture<'static, ()>>,
}

enum Turn {
    Again,
    Done,
}

impl Driver {
    /// `unread` is what the client sent before the socket came here.
    pub(super) fn new(connection: Arc<Connection>, socket: OwnedReadHalf, decoder: Decoder, unread: Vec<u8>) -> Self {
        Self { connection, socket, decoder, unread, waiting: None }
    }

    fn turn(&mut self, context: &mut Context<'_>) -> Poll<Turn> {
        let is_drained = self.connection.poll_drain(context).is_ready();
        if let Some(waiting) = &mut self.waiting {
            ready!(waiting.as_mut().poll(context));
            self.waiting = None;
            self.connection.release();
            return Poll::Ready(Turn::Again);
        }
        match self.connection.phase() {
            Phase::Open => {
                self.connection.settle_now();
                self.read(context)
            }
            Phase::Closing { .. } => {
                self.connection.settle_now();
                if is_drained { self.linger(context) } else { Poll::Pending }
            }
            Phase::Closed { .. } => {
                self.connection.settle_now();
                Poll::Ready(Turn::Done)
            }
        }
    }

    /// Reads until the socket is empty, the application is full or the turn is over.
    fn read(&mut self, context: &mut Context<'_>) -> Poll<Turn> {
        if !self.connection.is_reading() {
            return Poll::Pending;
        }
        if !self.unread.is_empty() && self.work_off_unread() {
            return Poll::Ready(Turn::Again);
        }
        for _ in 0..READS_PER_TURN {
            if ready!(self.read_once(context)) {
                return Poll::Ready(Turn::Again);
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// One read and all the packets in it. True when something other than reading is to be done next.
    fn read_once(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        READ.with_borrow_mut(|buffer| {
            let mut read = ReadBuf::new(buffer);
            let result = ready!(Pin::new(&mut self.socket).poll_read(context, &mut read));
            let fresh = read.filled_mut();
            if result.is_err() || fresh.is_empty() {
                let reason =
                    if result.is_err() { DisconnectReason::TransportError } else { DisconnectReason::TransportClosed };
                self.connection.abort(reason);
                return Poll::Ready(true);
            }
            if !self.unread.is_empty() {
                self.unread.extend_from_slice(fresh);
                return Poll::Ready(self.work_off_unread());
            }
            let (used, must_turn) = self.work_off(fresh);
            self.unread.extend_from_slice(&fresh[used..]);
            Poll::Ready(must_turn)
        })
    }

    /// Works on what was kept. True when something other than reading is to be done next.
    fn work_off_unread(&mut self) -> bool {
        let mut bytes = std::mem::take(&mut self.unread);
        let (used, must_turn) = self.work_off(&mut bytes);
        if used < bytes.len() {
            bytes.drain(..used);
            self.unread = bytes;
        }
        must_turn
    }

    /// Works on whole frames at the front of `bytes`; says how many bytes that were, and whether something other than reading comes next.
    fn work_off(&mut self, bytes: &mut [u8]) -> (usize, bool) {
        let mut used = 0;
        loop {
            match self.decoder.next(&mut bytes[used..]) {
                Ok(Some((frame_bytes, incoming))) => {
                    used += frame_bytes;
                    match act(&self.connection, incoming) {
                        Next::Read => {}
                        Next::Stop => return (used, true),
                        Next::Wait(waiting) => {
                            self.waiting = Some(waiting);
                            self.connection.hold();
                            return (used, true);
                        }
                    }
                }
                Ok(None) => return (used, false),
                Err(violation) => {
                    self.connection.close(DisconnectReason::ProtocolError, violation as u16);
                    return (used, true);
                }
            }
        }
    }

    /// Everything is written: say so to the other side and wait for its end, so that unread input does not turn our close into a reset
    /// which would take the last frames with it. The keeper ends this at the flush deadline.
    fn linger(&mut self, context: &mut Context<'_>) -> Poll<Turn> {
        self.connection.shut_down_writing();
        READ.with_borrow_mut(|buffer| {
            for _ in 0..READS_PER_TURN {
                let mut read = ReadBuf::new(buffer);
                let result = ready!(Pin::new(&mut self.socket).poll_read(context, &mut read));
                if result.is_err() || read.filled().is_empty() {
                    self.connection.abort(DisconnectReason::TransportClosed);
                    return Poll::Ready(Turn::Again);
                }
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let driver = self.get_mut();
        // Before anything is looked at, so that no change is missed.
        driver.connection.waker.register(context.waker());
        loop {
            match ready!(driver.turn(context)) {
                Turn::Again => {}
                Turn::Done => return Poll::Ready(()),
            }
        }
    }
}

impl Drop for Driver {
    /// The runtime may drop the task at shutdown: the sessions are told even then.
    fn drop(&mut self) {
        self.connection.abort(DisconnectReason::TransportError);
        self.connection.settle_now();
    }
}

/// Acts on one frame.
fn act(connection: &Arc<Connection>, incoming: Incoming<'_>) -> Next {
    let Ok(pace) = inbound::admit(connection) else { return Next::Stop };
    match incoming {
        Incoming::Text(text) => inbound::receive(connection, text, pace),
        Incoming::Binary => inbound::malformed(connection),
        Incoming::Ping(payload) => {
            // A signal: a client that pings and does not read gets no queue of answers.
            connection.send(&Frame::control(FIN_PONG, payload), Kind::Signal);
            Next::Read
        }
        Incoming::Pong | Incoming::Part => Next::Read,
        Incoming::Close => {
            connection.farewell();
            Next::Stop
        }
    }
}
