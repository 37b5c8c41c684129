//! `/conversations`: making, listing, showing and changing them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::error::{ErrorBody, Problem, field};
use super::extract::{Body, Caller, Params, PathId};
use super::page::{List, ListQuery};
use super::state::RestState;
use crate::chat::limits;
use crate::domain::{
    Actor, ChatError, ClientId, Command, Conversation, ConversationChange, ConversationDraft, ConversationId,
    ConversationKind, ConversationPatch, ConversationView, Member, Reply, UserId,
};

/// A conversation to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateBody {
    kind: ConversationKind,
    /// 1-200 characters; none for directs
    title: Option<String>,
    /// The others; at most 1,000, exactly one for a direct
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    member_ids: Vec<UserId>,
    /// Makes a retry answer the first result
    client_id: Option<String>,
}

/// What may change; what is left out stays, null takes away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PatchBody {
    /// 1-200 characters
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    title: Option<Option<String>>,
    /// An http or https URL, at most 2,048 bytes
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    avatar: Option<Option<String>>,
    /// Messages older than this many days are deleted
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>, minimum = 1)]
    retention_days: Option<Option<u32>>,
}

impl PatchBody {
    fn checked(self) -> Result<ConversationPatch, ChatError> {
        let text = |given: Option<Option<String>>, check: fn(&str) -> Result<String, ChatError>| {
            given.map(|value| value.as_deref().map(check).transpose()).transpose()
        };
        let days = |value: Option<u32>| value.map(limits::retention_days).transpose();
        Ok(ConversationPatch {
            title: text(self.title, limits::title)?,
            avatar: text(self.avatar, limits::avatar)?,
            retention_days: self.retention_days.map(days).transpose()?,
        })
    }
}

/// Tells "null" from "not there".
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A conversation as one member sees it, with the first members.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConversationWithMembers {
    #[serde(flatten)]
    view: ConversationView,
    /// The first 200 in order of joining
    members: Vec<Member>,
}

/// Make a conversation
///
/// A direct is unique per pair: asking again answers the same one with 200.
#[utoipa::path(post, path = "/conversations", tag = "conversations", security(("token" = [])), request_body = CreateBody,
    responses((status = 201, body = Conversation), (status = 200, description = "It was there already", body = Conversation),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub async fn create(
    State(state): State<RestState>,
    Caller(user): Caller,
    Body(body): Body<CreateBody>,
) -> Result<(StatusCode, Json<Conversation>), Problem> {
    let client_id = body.client_id.as_deref().map(ClientId::parse).transpose().map_err(field("clientId"))?;
    let draft = ConversationDraft {
        id: state.chat.new_conversation_id(),
        kind: body.kind,
        title: body.title.as_deref().map(limits::title).transpose()?,
        owner: Some(user.clone()),
        members: body.member_ids,
        client_id,
    };
    let reply = state.chat.submit(Actor::rest(user), Command::CreateConversation(Box::new(draft))).await?;
    created(reply)
}

/// 201 for a new conversation, 200 for one that was there.
fn created(reply: Reply) -> Result<(StatusCode, Json<Conversation>), Problem> {
    match reply {
        Reply::Conversation(change) => Ok(match *change {
            ConversationChange::Created(conversation) => (StatusCode::CREATED, Json(conversation)),
            ConversationChange::Existing(conversation) => (StatusCode::OK, Json(conversation)),
        }),
        Reply::Sent(_) | Reply::Changed(_) | Reply::Unchanged | Reply::Watermarks(_) => {
            Err(ChatError::internal().into())
        }
    }
}

/// The caller's conversations, the most recently active first
#[utoipa::path(get, path = "/conversations", tag = "conversations", security(("token" = [])), params(ListQuery),
    responses((status = 200, body = List<ConversationView>), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub async fn list(
    State(state): State<RestState>,
    Caller(user): Caller,
    Params(query): Params<ListQuery>,
) -> Result<Json<List<ConversationView>>, Problem> {
    Ok(Json(state.chat.conversations_of(&user, &query.page()?).await?.into()))
}

/// One conversation with its members
#[utoipa::path(get, path = "/conversations/{id}", tag = "conversations", security(("token" = [])),
    params(("id" = String, Path, description = "Conversation id")),
    responses((status = 200, body = ConversationWithMembers), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn show(
    State(state): State<RestState>,
    Caller(user): Caller,
    PathId(id): PathId<ConversationId>,
) -> Result<Json<ConversationWithMembers>, Problem> {
    let view = state.chat.conversation(&user, id).await?;
    let members = state.chat.roster(&user, id).await?;
    Ok(Json(ConversationWithMembers { view, members }))
}

/// Change title, picture or retention
#[utoipa::path(patch, path = "/conversations/{id}", tag = "conversations", security(("token" = [])), request_body = PatchBody,
    params(("id" = String, Path, description = "Conversation id")),
    responses((status = 200, body = ConversationView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn update(
    State(state): State<RestState>,
    Caller(user): Caller,
    PathId(id): PathId<ConversationId>,
    Body(body): Body<PatchBody>,
) -> Result<Json<ConversationView>, Problem> {
    let patch = body.checked()?;
    state.chat.submit(Actor::rest(user.clone()), Command::UpdateConversation { conversation: id, patch }).await?;
    Ok(Json(state.chat.conversation(&user, id).await?))
}
