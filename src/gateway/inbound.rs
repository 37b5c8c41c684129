//! What becomes of a client's event: read, paced, carried out.

use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use fail::fail_point;
use futures_util::FutureExt;

use super::attach;
use super::session::Session;
use super::slip::Slip;
use super::transport::{self, CloseReason, InboundEvent, Taken};
use crate::auth::bearer;
use crate::chat::{DraftAsk, Pace, Reader};
use crate::domain::{ChatError, Command, ErrorCode, FeedId, Timestamp};
use crate::protocol::{Answer, Args, Ask, OwnAsk, SendAsk, dialect, revealed_by};

/// Commands of one session that may be under way; beyond, nothing more is read from it.
const FLIGHTS_MAX: usize = 64;
/// Cursors of a sync that count as one ask.
const CURSORS_PER_ASK: usize = 50;
/// The name under which events are counted that did not come as far as having one: malformed, or too fast.
const UNREAD: &str = "unread";
/// When a client that sends too many frames may go on, in milliseconds: the frame rate counts by the second.
const FRAMES_RETRY_AFTER_MS: u64 = 1_000;

impl Session {
    /// Takes one event. Events are taken one at a time, in the client's order: what is done before this returns, and before the future of
    /// [`Taken::Later`] ends, is done before the next event is looked at.
    pub(super) fn take(self: &Arc<Self>, event: &InboundEvent) -> Taken {
        let slip = Slip::new(Arc::clone(self), event.ack);
        if event.pace == transport::Pace::TooFast {
            slip.counted(UNREAD).answer(Err(too_fast()));
            return Taken::Now;
        }
        let args = Args { first: event.arg(0), count: event.args().len() };
        if !self.is_settled()
            && let Some(slot) = revealed_by(event.name(), args)
        {
            self.settle(slot);
        }
        let asked = dialect(self.slot()).decode(event.name(), args).and_then(|ask| self.work(ask));
        let pace = match &asked {
            Ok(Work::Command(command)) => self.pace().command(command),
            Ok(Work::Own(ask)) => self.pace_of(ask),
            Err(_) => self.pace().ask(),
        };
        match (pace, asked) {
            (Pace::Fine, Ok(Work::Command(command))) => self.fly(command, slip),
            (Pace::Fine, Ok(Work::Own(ask))) => self.carry_out(ask, slip),
            (Pace::Fine, Err(error)) | (Pace::Slower(error), _) => {
                slip.counted(UNREAD).answer(Err(error));
                Taken::Now
            }
            (Pace::Hostile, _) => {
                slip.counted(UNREAD).answer(Err(too_fast()));
                self.socket().close(CloseReason::RateLimited);
                Taken::Now
            }
        }
    }

    /// Has the core's rules look at the words of a send, before it counts as one.
    fn work(&self, ask: Ask) -> Result<Work, ChatError> {
        Ok(match ask {
            Ask::Send(send) => Work::Command(self.send_command(*send)?),
            Ask::Command(command) => Work::Command(command),
            Ask::Own(ask) => Work::Own(ask),
        })
    }

    /// A sync counts for more the more it asks for.
    fn pace_of(&self, ask: &OwnAsk) -> Pace {
        let price = match ask {
            OwnAsk::Sync(sync) => 1 + sync.cursors.len() / CURSORS_PER_ASK,
            OwnAsk::Join { .. } | OwnAsk::Leave { .. } | OwnAsk::Refresh { .. } => 1,
        };
        (0..price).map(|_| self.pace().ask()).find(|pace| *pace != Pace::Fine).unwrap_or(Pace::Fine)
    }

    fn carry_out(self: &Arc<Self>, ask: OwnAsk, slip: Slip) -> Taken {
        let slip = slip.counted(ask.name());
        match ask {
            OwnAsk::Sync(sync) => self.later(attach::sync(slip, *sync)),
            OwnAsk::Join { conversation, cursor } => self.later(attach::join(slip, conversation, cursor)),
            OwnAsk::Leave { conversation } => {
                self.door.feeds.detach(self.as_ref(), &FeedId::Conversation(conversation));
                slip.answer(Ok(Answer::Left));
                Taken::Now
            }
            OwnAsk::Refresh { token } => {
                slip.answer(self.refresh(&token).map(|expires_at| Answer::Refreshed { expires_at }));
                Taken::Now
            }
        }
    }

    /// Goes on with a newer token of the same user.
    fn refresh(self: &Arc<Self>, token: &str) -> Result<Timestamp, ChatError> {
        let identity = self.door.verifier.verify(bearer(token))?;
        if identity.user() != self.user() {
            return Err(ChatError::new(ErrorCode::Forbidden, "the token is another user's"));
        }
        self.door.terms.extend(self, &identity, self.door.clock.now());
        Ok(identity.expires_at)
    }

    /// Reads nothing more from the client until this is done. A defect in it ends the session, as one outside of it would.
    fn later(self: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) -> Taken {
        let session = Arc::clone(self);
        Taken::Later(Box::pin(async move {
            if AssertUnwindSafe(work).catch_unwind().await.is_err() {
                session.end_for_defect();
            }
        }))
    }

    fn send_command(&self, ask: SendAsk) -> Result<Command, ChatError> {
        let SendAsk { conversation, client_id, content, kind, reply_to, mentions } = ask;
        let chat = &self.door.chat;
        let draft = DraftAsk { content: &content, kind: kind.as_deref(), reply_to, mentions: &mentions };
        let draft = Box::new(chat.limits().draft(chat.new_message_id(), draft)?);
        let client_id = client_id.unwrap_or_else(|| chat.new_client_id());
        Ok(Command::SendMessage { conversation, client_id, draft })
    }

    /// Submits a command: its place among the others of its conversation is fixed when this returns; its answer comes when it comes.
    fn fly(self: &Arc<Self>, command: Command, slip: Slip) -> Taken {
        let flight = Flight::start(self);
        let reply = self.door.chat.submit(self.actor(), command);
        self.door.tracker.spawn(async move {
            let reply = reply.await;
            fail_point!("gateway::reply");
            slip.answer(reply.map(Answer::Reply));
            drop(flight);
        });
        if self.flights.load(Ordering::Acquire) < FLIGHTS_MAX {
            return Taken::Now;
        }
        Taken::Later(Box::pin(self.has_room()))
    }

    /// Ends when another command may be taken.
    fn has_room(self: &Arc<Self>) -> impl Future<Output = ()> + Send + use<> {
        let session = Arc::clone(self);
        poll_fn(move |context| {
            session.room.register(context.waker());
            if session.flights.load(Ordering::Acquire) < FLIGHTS_MAX { Poll::Ready(()) } else { Poll::Pending }
        })
    }
}

/// What an event comes to.
enum Work {
    Command(Command),
    Own(OwnAsk),
}

/// A command on its way through the core.
struct Flight(Arc<Session>);

impl Flight {
    fn start(session: &Arc<Session>) -> Self {
        session.flights.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(session))
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.flights.fetch_sub(1, Ordering::AcqRel);
        self.0.room.wake();
    }
}

fn too_fast() -> ChatError {
    ChatError {
        code: ErrorCode::RateLimited,
        message: "too many in a short time".into(),
        retry_after_ms: Some(FRAMES_RETRY_AFTER_MS),
    }
}
