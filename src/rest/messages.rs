//! `/conversations/{id}/messages` and `/events`: sending, history, the raw feed.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::error::{ErrorBody, Problem};
use super::extract::{Body, Caller, Params, PathId};
use super::page::{List, limit};
use super::state::RestState;
use crate::chat::DraftAsk;
use crate::domain::{Actor, ChatError, ClientId, Command, ConversationId, Message, MessageId, Reply, Seq};
use crate::protocol;

/// A message to be sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SendBody {
    /// In whose name; for service keys only
    #[serde(default)]
    pub sender_id: Option<String>,
    /// 1-64 printable characters: makes a retry harmless; without it a retry sends again
    client_id: Option<String>,
    /// A text, or a JSON object that is kept as it is
    #[schema(value_type = Object)]
    content: Box<RawValue>,
    /// `text` unless said otherwise
    #[serde(rename = "type")]
    kind: Option<String>,
    /// A message of the same conversation
    #[schema(value_type = Option<String>)]
    reply_to: Option<MessageId>,
    /// At most 50 members
    #[serde(default)]
    mentions: Vec<String>,
}

/// A message that is in the log.
#[derive(Debug, Serialize, ToSchema)]
pub struct SentBody {
    message: Message,
    /// Whether an earlier attempt with the same clientId had put it there
    duplicate: bool,
}

/// Sends in the actor's name.
///
/// # Errors
/// The command's refusal.
pub async fn send_as(
    state: &RestState,
    actor: Actor,
    conversation: ConversationId,
    body: &SendBody,
) -> Result<(StatusCode, Json<SentBody>), Problem> {
    let SendBody { sender_id: _, client_id, content, kind, reply_to, mentions } = body;
    let client_id = match client_id {
        Some(text) => ClientId::parse(text)?,
        None => state.chat.new_client_id(),
    };
    let ask = DraftAsk { content, kind: kind.as_deref(), reply_to: *reply_to, mentions };
    let draft = Box::new(state.chat.limits().draft(state.chat.new_message_id(), ask)?);
    match state.chat.submit(actor, Command::SendMessage { conversation, client_id, draft }).await? {
        Reply::Sent(sent) => {
            let status = if sent.duplicate { StatusCode::OK } else { StatusCode::CREATED };
            Ok((status, Json(SentBody { message: sent.message, duplicate: sent.duplicate })))
        }
        Reply::Conversation(_) | Reply::Changed(_) | Reply::Unchanged | Reply::Watermarks(_) => {
            Err(ChatError::internal().into())
        }
    }
}

/// Send a message
#[utoipa::path(post, path = "/conversations/{id}/messages", tag = "messages", security(("token" = [])), request_body = SendBody,
    params(("id" = String, Path, description = "Conversation id")),
    responses((status = 201, body = SentBody), (status = 200, description = "It was sent before, with the same clientId", body = SentBody),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 503, description = "Not known whether it was sent: try again with the same clientId", body = ErrorBody)))]
pub async fn send(
    State(state): State<RestState>,
    Caller(user): Caller,
    PathId(conversation): PathId<ConversationId>,
    Body(body): Body<SendBody>,
) -> Result<(StatusCode, Json<SentBody>), Problem> {
    send_as(&state, Actor::rest(user), conversation, &body).await
}

/// Which part of the history; at most one of `before`, `after`, `cursor`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct HistoryQuery {
    /// Messages below this seq, newest first
    before: Option<u64>,
    /// Messages above this seq, oldest first
    after: Option<u64>,
    /// `nextCursor` of the page before
    cursor: Option<String>,
    /// How many, 1-100
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<u32>,
}

enum Stretch {
    Before(Option<Seq>),
    After(Seq),
}

impl HistoryQuery {
    fn stretch(&self) -> Result<Stretch, ChatError> {
        let cursor = self.cursor.as_deref().map(|text| {
            let (direction, seq) = text.split_once(':').ok_or_else(|| ChatError::invalid("cursor is none of ours"))?;
            let seq = Seq(seq.parse().map_err(|_| ChatError::invalid("cursor is none of ours"))?);
            match direction {
                "before" => Ok(Stretch::Before(Some(seq))),
                "after" => Ok(Stretch::After(seq)),
                _ => Err(ChatError::invalid("cursor is none of ours")),
            }
        });
        match (self.before, self.after, cursor) {
            (None, None, None) => Ok(Stretch::Before(None)),
            (Some(seq), None, None) => Ok(Stretch::Before(Some(Seq(seq)))),
            (None, Some(seq), None) => Ok(Stretch::After(Seq(seq))),
            (None, None, Some(stretch)) => stretch,
            _ => Err(ChatError::invalid("at most one of before, after, cursor")),
        }
    }
}

/// History
#[utoipa::path(get, path = "/conversations/{id}/messages", tag = "messages", security(("token" = [])),
    params(("id" = String, Path, description = "Conversation id"), HistoryQuery),
    responses((status = 200, body = List<Message>), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn history(
    State(state): State<RestState>,
    Caller(user): Caller,
    PathId(id): PathId<ConversationId>,
    Params(query): Params<HistoryQuery>,
) -> Result<Json<List<Message>>, Problem> {
    let limit = limit(query.limit)?;
    let (items, direction) = match query.stretch()? {
        Stretch::Before(before) => (state.chat.messages_before(&user, id, before, limit).await?, "before"),
        Stretch::After(after) => (state.chat.messages_after(&user, id, after, limit).await?, "after"),
    };
    let full = items.len() == limit as usize;
    let next_cursor = items.last().filter(|_| full).map(|message| format!("{direction}:{}", message.seq));
    Ok(Json(List { items, next_cursor }))
}

/// Which part of the feed.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// Events above this seq
    after: Option<u64>,
    /// `nextCursor` of the page before: the same as `after`
    cursor: Option<u64>,
    /// How many, 1-100
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<u32>,
}

/// A stretch of the feed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventsBody {
    /// Each is its payload, with its name as `event`
    #[schema(value_type = Vec<Object>)]
    items: Vec<Box<RawValue>>,
    /// `after` of the next page; null at the end
    next_cursor: Option<String>,
    /// The highest seq of the feed
    #[schema(value_type = u64)]
    head: Seq,
}

/// The raw feed, for resuming
#[utoipa::path(get, path = "/conversations/{id}/events", tag = "messages", security(("token" = [])),
    params(("id" = String, Path, description = "Conversation id"), EventsQuery),
    responses((status = 200, body = EventsBody), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn events(
    State(state): State<RestState>,
    Caller(user): Caller,
    PathId(id): PathId<ConversationId>,
    Params(query): Params<EventsQuery>,
) -> Result<Json<EventsBody>, Problem> {
    if query.after.is_some() && query.cursor.is_some() {
        return Err(ChatError::invalid("at most one of after, cursor").into());
    }
    let after = Seq(query.after.or(query.cursor).unwrap_or(0));
    let page = state.chat.events(&user, id, after, limit(query.limit)?).await?;
    let last = page.events.last().map_or(after, |event| event.seq);
    let next_cursor = (last < page.head).then(|| last.to_string());
    Ok(Json(EventsBody { items: page.events.iter().map(protocol::event_view).collect(), next_cursor, head: page.head }))
}
