//! Who asks.

use super::{SessionId, UserId};

/// A vocabulary by name; what the names mean is known to `protocol` alone.
pub type DialectName = &'static str;

/// Which door a command came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Door {
    /// A Socket.IO session.
    Socket,
    /// The REST API, with a user's token.
    Rest,
    /// The server-to-server API, with a service key: may do everything, in anybody's name.
    Service,
    /// Rookery itself.
    System,
}

/// Who asks for something, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// In whose name; none for the service API acting by itself and for the system.
    pub user: Option<UserId>,
    /// The socket it came through, if any; stored with the event as its origin.
    pub session: Option<SessionId>,
    /// The door.
    pub door: Door,
    /// The vocabulary of the asker.
    pub dialect: DialectName,
}

impl Actor {
    /// A user who asks over REST.
    #[must_use]
    pub const fn rest(user: UserId) -> Self {
        Self { user: Some(user), session: None, door: Door::Rest, dialect: "native" }
    }

    /// A user who asks through a socket.
    #[must_use]
    pub const fn socket(user: UserId, session: SessionId, dialect: DialectName) -> Self {
        Self { user: Some(user), session: Some(session), door: Door::Socket, dialect }
    }

    /// A trusted backend, in somebody's name or in its own.
    #[must_use]
    pub const fn service(user: Option<UserId>) -> Self {
        Self { user, session: None, door: Door::Service, dialect: "native" }
    }
}
