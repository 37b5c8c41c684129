//! The gateway itself: lets clients in, and speaks to all of them or to all of one user.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::debug;
use uuid::Uuid;

use super::attach::Opening;
use super::handshake::{self, Admitted, refusal};
use super::options::GatewayOptions;
use super::session::{Session, SessionParts};
use super::sessions::Sessions;
use super::term::{Term, Terms};
use super::transport::{Application, ConnectAsk, Refusal, Session as TransportSession};
use crate::auth::Verifier;
use crate::chat::{Chat, Feeds, Reader};
use crate::domain::{ChatError, Clock, NodeId, SessionId, Timestamp, UserId};
use crate::protocol::{Notice, RevokedBecause};

/// What a gateway is made of.
pub struct GatewayParts {
    /// The name of this node, as clients see it.
    pub node: NodeId,
    /// The rules.
    pub chat: Chat,
    /// What is read.
    pub feeds: Feeds,
    /// Believes tokens or does not.
    pub verifier: Arc<Verifier>,
    /// The time shown to clients, and by which tokens end.
    pub clock: Arc<dyn Clock>,
    /// Waits for the tasks that the gateway starts: commands under way, among others.
    pub tracker: TaskTracker,
    /// Ends the tasks that serve no command.
    pub shutdown: CancellationToken,
}

/// See the file's first line. Cheap to clone; give it to the transport as its application.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

/// What all sessions of the node share.
pub(super) struct Inner {
    pub node: NodeId,
    pub chat: Chat,
    pub feeds: Feeds,
    pub verifier: Arc<Verifier>,
    pub clock: Arc<dyn Clock>,
    pub tracker: TaskTracker,
    pub options: GatewayOptions,
    pub sessions: Sessions,
    pub terms: Terms,
}

impl Gateway {
    /// Starts looking after sessions until the shutdown. Call inside a tokio runtime.
    #[must_use]
    pub fn start(parts: GatewayParts, options: GatewayOptions) -> Self {
        let GatewayParts { node, chat, feeds, verifier, clock, tracker, shutdown } = parts;
        let (sessions, terms) = (Sessions::default(), Terms::new(options.expiring_before_ms));
        let inner = Arc::new(Inner { node, chat, feeds, verifier, clock, tracker, options, sessions, terms });
        let keeper = Arc::clone(&inner);
        inner.tracker.spawn(async move { keeper.terms.run(keeper.clock.as_ref(), shutdown).await });
        Self(inner)
    }

    /// Sessions of this node.
    #[must_use]
    pub fn sessions_count(&self) -> usize {
        self.0.sessions.count()
    }

    /// Tells every session that its node is going away; closing them is the transport's part.
    pub fn announce_drain(&self, reconnect_in_ms: u64) {
        let notice = Notice::Drain { reconnect_in_ms };
        self.0.sessions.all().iter().for_each(|session| session.tell(&notice));
    }

    /// Ends all sessions that a user has on this node, for good: their clients do not come back by themselves.
    pub fn revoke(&self, user: &UserId, reason: RevokedBecause) {
        for session in self.0.sessions.of(user) {
            session.tell(&Notice::Revoked { reason });
            session.socket().leave();
        }
    }
}

impl Application for Gateway {
    fn connect(self: Arc<Self>, ask: ConnectAsk) -> BoxFuture<'static, Result<Arc<dyn TransportSession>, Refusal>> {
        let door = Arc::clone(&self.0);
        async move { door.admit(ask).await }.boxed()
    }
}

impl Inner {
    /// What a session hears first.
    pub(super) fn ready(&self, session: &Session, now: Timestamp) -> Notice {
        Notice::Ready {
            user: session.user().clone(),
            session: session.session(),
            node: self.node.clone(),
            epoch: self.feeds.epoch(),
            server_time: now,
            limits: self.options.limits,
        }
    }

    async fn admit(self: Arc<Self>, ask: ConnectAsk) -> Result<Arc<dyn TransportSession>, Refusal> {
        let admitted = handshake::read(&self, &ask)?;
        let (Admitted { identity, vocabulary, hello }, socket) = (admitted, ask.socket);
        let parts = SessionParts {
            door: Arc::clone(&self),
            socket,
            id: SessionId::from_uuid(Uuid::now_v7()),
            user: identity.user().clone(),
            vocabulary,
            term: Term::of(&identity),
        };
        let session = Session::new(parts);
        let refused = |error: ChatError| {
            debug!(user.id = %session.user(), code = error.code.as_str(), "connect refused: {error}");
            refusal(session.slot(), &error)
        };
        self.chat.welcome(identity.profile).await.map_err(refused)?;
        session.open_with(Opening::read(&session, hello.personal).await.map_err(refused)?);
        // Nothing waits from here on, so that whoever is counted is also told when it ends.
        if let Err(error) = self.sessions.add(&session, self.options.sessions_per_user) {
            self.feeds.detach_all(session.as_ref());
            return Err(refused(error));
        }
        Ok(session)
    }
}
