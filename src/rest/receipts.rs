//! `/conversations/{id}/read` and `/delivered`: how far the caller has come.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::error::{ErrorBody, Problem};
use super::extract::{Body, Caller, PathId};
use super::state::RestState;
use crate::domain::{Actor, ChatError, Command, ConversationId, MessageId, MessageRef, Reply, Seq, Watermarks};

/// A place: one of the two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlaceBody {
    /// Beyond the head it means the head; backwards has no effect
    seq: Option<u64>,
    #[schema(value_type = Option<String>)]
    message_id: Option<MessageId>,
}

impl PlaceBody {
    /// From its parts.
    pub const fn new(seq: Option<u64>, message_id: Option<MessageId>) -> Self {
        Self { seq, message_id }
    }

    /// The place that is named.
    ///
    /// # Errors
    /// `invalid` unless it is exactly one.
    pub fn place(&self) -> Result<MessageRef, ChatError> {
        match (self.seq, self.message_id) {
            (Some(seq), None) => Ok(MessageRef::Seq(Seq(seq))),
            (None, Some(message)) => Ok(MessageRef::Message(message)),
            (None, None) | (Some(_), Some(_)) => Err(ChatError::invalid("either seq or messageId is needed")),
        }
    }
}

/// Where the watermarks are now.
///
/// # Errors
/// The command's refusal.
pub async fn mark(state: &RestState, actor: Actor, command: Command) -> Result<Json<Watermarks>, Problem> {
    match state.chat.submit(actor, command).await? {
        Reply::Watermarks(watermarks) => Ok(Json(watermarks)),
        Reply::Sent(_) | Reply::Conversation(_) | Reply::Changed(_) | Reply::Unchanged => {
            Err(ChatError::internal().into())
        }
    }
}

/// Everything up to a place has been read
#[utoipa::path(post, path = "/conversations/{id}/read", tag = "receipts", security(("token" = [])), request_body = PlaceBody,
    params(("id" = String, Path, description = "Conversation id")),
    responses((status = 200, body = Watermarks), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn read(
    State(state): State<RestState>,
    Caller(user): Caller,
    PathId(conversation): PathId<ConversationId>,
    Body(body): Body<PlaceBody>,
) -> Result<Json<Watermarks>, Problem> {
    mark(&state, Actor::rest(user), Command::MarkRead { conversation, upto: body.place()? }).await
}

/// Everything up to a place has reached one of the caller's devices
#[utoipa::path(post, path = "/conversations/{id}/delivered", tag = "receipts", security(("token" = [])), request_body = PlaceBody,
    params(("id" = String, Path, description = "Conversation id")),
    responses((status = 200, body = Watermarks), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn delivered(
    State(state): State<RestState>,
    Caller(user): Caller,
    PathId(conversation): PathId<ConversationId>,
    Body(body): Body<PlaceBody>,
) -> Result<Json<Watermarks>, Problem> {
    mark(&state, Actor::rest(user), Command::MarkDelivered { conversation, upto: body.place()? }).await
}
