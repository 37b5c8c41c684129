//! Who wants in, and in which words: read from what the handshake says, without asking anybody.

use super::door::Inner;
use super::session::Vocabulary;
use super::transport::{ConnectAsk, Handshake, Origin, Refusal};
use crate::auth::{Identity, OriginVerdict, bearer};
use crate::domain::{ChatError, ErrorCode};
use crate::protocol::{Hello, Slot, by_name, by_namespace, dialect};

/// A client that may come in.
pub(super) struct Admitted {
    /// Who it is, by its token.
    pub identity: Identity,
    /// How it speaks.
    pub vocabulary: Vocabulary,
    /// What else it said.
    pub hello: Hello,
}

/// Reads a client's wish to join a namespace.
pub(super) fn read(door: &Inner, ask: &ConnectAsk) -> Result<Admitted, Refusal> {
    let assumed = assumed(&ask.namespace, door.options.dialect).ok_or_else(Refusal::invalid_namespace)?;
    let hello = Hello::parse(ask.auth.as_deref()).map_err(|error| refusal(assumed, &error))?;
    let named = hello.dialect.as_deref().or_else(|| ask.handshake.query("dialect"));
    let vocabulary = vocabulary(assumed, named).map_err(|error| refusal(assumed, &error))?;
    let (Vocabulary::Named(slot) | Vocabulary::Assumed(slot)) = vocabulary;
    let identity = identity(door, &hello, &ask.handshake).map_err(|error| refusal(slot, &error))?;
    Ok(Admitted { identity, vocabulary, hello })
}

/// A refusal in the words of a vocabulary, with the code for programs.
pub(super) fn refusal(slot: Slot, error: &ChatError) -> Refusal {
    let mut data = serde_json::json!({ "code": error.code.as_str() });
    if let Some(retry_after_ms) = error.retry_after_ms {
        data["retryAfterMs"] = retry_after_ms.into();
    }
    Refusal { message: dialect(slot).refusal(error), data: Some(data) }
}

/// What is spoken in a namespace unless something else is said; none: there is no such namespace.
fn assumed(namespace: &str, default: Slot) -> Option<Slot> {
    if dialect(default).namespace() == namespace { Some(default) } else { by_namespace(namespace) }
}

fn vocabulary(assumed: Slot, named: Option<&str>) -> Result<Vocabulary, ChatError> {
    let Some(name) = named else { return Ok(Vocabulary::Assumed(assumed)) };
    let slot = by_name(name).ok_or_else(|| ChatError::invalid("dialect: there is none of this name"))?;
    if dialect(slot).namespace() != dialect(assumed).namespace() {
        return Err(ChatError::invalid("dialect: not spoken in this namespace"));
    }
    Ok(Vocabulary::Named(slot))
}

fn identity(door: &Inner, hello: &Hello, handshake: &Handshake) -> Result<Identity, ChatError> {
    let elsewhere = || {
        let origin = match handshake.origin {
            Origin::Allowed => OriginVerdict::Allowed,
            Origin::Absent | Origin::Foreign => OriginVerdict::NotNamed,
        };
        door.options.token_places.find(|name| handshake.header(name), |name| handshake.query(name), origin)
    };
    let said = hello.token.as_deref().map(bearer).filter(|token| !token.is_empty()).map(str::to_owned);
    let Some(token) = said.or_else(elsewhere) else {
        return Err(ChatError::new(ErrorCode::Unauthorized, "a token is required"));
    };
    Ok(door.verifier.verify(&token)?)
}
