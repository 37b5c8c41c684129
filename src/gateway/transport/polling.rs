//! Long-polling: a GET takes what is queued or waits for it, a POST brings packets.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::{Request, Response};

use super::application::DisconnectReason;
use super::body::PacedBody;
use super::connection::Connection;
use super::inbound::{self, Next};
use super::outbox::{Phase, Reader, Wire, Written};
use super::refusal::{Refused, text};

/// Between two packets of one body.
pub(super) const SEPARATOR: u8 = 0x1E;

/// How long a poll waits for nothing while an upgrade is tried; doubled with every further one.
const NOOP_DELAY: Duration = Duration::from_millis(100);
const NOOP_DOUBLINGS_MAX: u32 = 6;

const NOOP: &str = "6";
const CLOSE: &str = "1";

/// What a poll brings its client.
enum Polled {
    Packets(Vec<u8>),
    /// An upgrade needs the client to stop polling, or is complete.
    Nothing,
    /// The connection has ended.
    Ended,
}

/// Answers a GET: with everything queued, at once or as soon as there is something.
pub(super) async fn poll(connection: Arc<Connection>) -> Result<Response<Body>, Refused> {
    let (mut parked, delay) = Parked::begin(connection)?;
    let polled = parked.wait(delay).await;
    parked.is_answered = true;
    Ok(match polled {
        Polled::Packets(packets) => text(packets),
        Polled::Nothing => text(NOOP),
        Polled::Ended => text(CLOSE),
    })
}

/// Everything that is queued now, without waiting: the answer to the request that opened the connection.
pub(super) fn take_now(connection: &Connection) -> Vec<u8> {
    let mut written = Written::default();
    let payload = connection.outbox.lock().take_payload(connection.transport.config.frame_bytes, &mut written);
    connection.transport.tally.wrote(written);
    payload.unwrap_or_default()
}

/// A waiting GET. Dropped unanswered, when its client hangs up, it ends the connection: whoever polls no more has gone.
struct Parked {
    connection: Arc<Connection>,
    is_answered: bool,
}

impl Parked {
    /// Says also how long the poll may wait, if an upgrade is being tried. A second poll beside the first ends the connection.
    fn begin(connection: Arc<Connection>) -> Result<(Self, Option<Duration>), Refused> {
        let (overlaps, delay) = match &mut connection.outbox.lock().wire {
            Wire::WebSocket(_) => return Err(Refused::BadRequest),
            Wire::Gone => return Err(Refused::SidUnknown),
            Wire::Polling(polls) => {
                let delay =
                    polls.probe.as_ref().map(|probe| NOOP_DELAY * 2_u32.pow(probe.noops.min(NOOP_DOUBLINGS_MAX)));
                (std::mem::replace(&mut polls.is_parked, true), delay)
            }
        };
        if overlaps {
            connection.close(DisconnectReason::ProtocolError, 1002);
            return Err(Refused::BadRequest);
        }
        Ok((Self { connection, is_answered: false }, delay))
    }

    async fn wait(&self, delay: Option<Duration>) -> Polled {
        let ready = std::future::poll_fn(|context| self.connection.poll_packets(context));
        if let Some(delay) = delay {
            if let Ok(polled) = tokio::time::timeout(delay, ready).await {
                return polled;
            }
            if self.connection.unpark_for_probe() {
                return Polled::Nothing;
            }
        }
        std::future::poll_fn(|context| self.connection.poll_packets(context)).await
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        if !self.is_answered {
            self.connection.abort(DisconnectReason::TransportError);
        }
    }
}

impl Connection {
    /// Ready with what the waiting poll is to be answered.
    fn poll_packets(self: &Arc<Self>, context: &mut Context<'_>) -> Poll<Polled> {
        let mut written = Written::default();
        let (polled, has_ended) = {
            let mut outbox = self.outbox.lock();
            match outbox.wire {
                Wire::WebSocket(_) => return Poll::Ready(Polled::Nothing),
                Wire::Gone => return Poll::Ready(Polled::Ended),
                Wire::Polling(_) => {}
            }
            let packets = outbox.take_payload(self.transport.config.frame_bytes, &mut written);
            let has_ended = outbox.is_empty() && matches!(outbox.phase, Phase::Closing { .. });
            let Wire::Polling(polls) = &mut outbox.wire else { return Poll::Ready(Polled::Ended) };
            let owes_noop = polls.probe.as_mut().is_some_and(|probe| std::mem::take(&mut probe.owes_noop));
            if packets.is_none() && !owes_noop {
                polls.parked = Some(context.waker().clone());
                return Poll::Pending;
            }
            polls.is_parked = false;
            polls.parked = None;
            if let (None, Some(probe)) = (&packets, &mut polls.probe) {
                probe.noops += 1;
            }
            (packets.map_or(Polled::Nothing, Polled::Packets), has_ended)
        };
        self.transport.tally.wrote(written);
        if has_ended {
            self.abort(DisconnectReason::TransportClosed);
        }
        Poll::Ready(polled)
    }

    /// A poll has waited long enough while an upgrade is tried; false when the upgrade is no longer tried.
    fn unpark_for_probe(&self) -> bool {
        let mut outbox = self.outbox.lock();
        let Wire::Polling(polls) = &mut outbox.wire else { return false };
        let Some(probe) = &mut polls.probe else { return false };
        probe.noops += 1;
        probe.owes_noop = false;
        polls.is_parked = false;
        polls.parked = None;
        true
    }
}

/// Answers a POST once the application has taken every packet in it.
pub(super) async fn post(connection: Arc<Connection>, request: Request<Incoming>) -> Result<Response<Body>, Refused> {
    let frame_bytes = connection.transport.config.frame_bytes;
    if !connection.is_reading() {
        return Err(Refused::Unavailable);
    }
    let mut reading = Reading::begin(connection)?;
    let is_binary = request.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/octet-stream");
    let body = match read_body(request.into_body(), frame_bytes).await {
        Ok(body) => body,
        Err(Refused::TooLarge) => {
            reading.is_complete = true;
            return Err(Refused::TooLarge);
        }
        Err(refused) => return Err(refused),
    };
    reading.is_complete = true;
    let Some(body) = simdutf8::basic::from_utf8(&body).ok().filter(|_| !is_binary) else {
        inbound::malformed(&reading.connection);
        return Err(Refused::BadRequest);
    };
    reading.is_complete = false;
    let answer = work_off(&reading.connection, body).await;
    reading.is_complete = true;
    answer.map(|()| text("ok"))
}

async fn work_off(connection: &Arc<Connection>, body: &str) -> Result<(), Refused> {
    for packet in body.split(char::from(SEPARATOR)) {
        let pace = inbound::admit(connection).map_err(|()| Refused::BadRequest)?;
        match inbound::receive(connection, packet, pace) {
            Next::Read => {}
            Next::Wait(taken) => taken.await,
            Next::Stop => {
                let is_goodbye = matches!(
                    connection.phase(),
                    Phase::Closing { reason: DisconnectReason::TransportClosed, .. }
                        | Phase::Closed { reason: DisconnectReason::TransportClosed }
                );
                return if is_goodbye { Ok(()) } else { Err(Refused::BadRequest) };
            }
        }
    }
    Ok(())
}

/// The whole body of a POST, if it is not too large and comes in time.
pub(super) async fn read_body(body: Incoming, bytes_max: usize) -> Result<Bytes, Refused> {
    let body = PacedBody::new(body);
    if hyper::body::Body::size_hint(&body).lower() > bytes_max as u64 {
        return Err(Refused::TooLarge);
    }
    let collected = Limited::new(body, bytes_max).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            Refused::TooLarge
        } else if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut) {
            Refused::Timeout
        } else {
            Refused::BadRequest
        }
    })?;
    Ok(collected.to_bytes())
}

/// The right to read from a polling connection, held by one POST at a time. Dropped incomplete, when its client hangs up in the middle,
/// it ends the connection: nobody could say which packets counted.
struct Reading {
    connection: Arc<Connection>,
    is_complete: bool,
}

impl Reading {
    fn begin(connection: Arc<Connection>) -> Result<Self, Refused> {
        let overlaps = {
            let mut outbox = connection.outbox.lock();
            match outbox.wire {
                Wire::WebSocket(_) => return Err(Refused::BadRequest),
                Wire::Gone => return Err(Refused::SidUnknown),
                Wire::Polling(_) => {}
            }
            outbox.is_held = true;
            std::mem::replace(&mut outbox.reader, Reader::Post) == Reader::Post
        };
        if overlaps {
            connection.close(DisconnectReason::ProtocolError, 1002);
            return Err(Refused::BadRequest);
        }
        Ok(Self { connection, is_complete: false })
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if !self.is_complete {
            self.connection.abort(DisconnectReason::TransportError);
        }
        self.connection.release();
        self.connection.outbox.lock().reader = Reader::Nobody;
        self.connection.settle_now();
    }
}
