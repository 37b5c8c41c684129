//! `/service`: what trusted backends may do, with a service key.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::{ErrorBody, Problem, field};
use super::extract::{Body, PathId, ServiceCaller};
use super::messages::{SendBody, SentBody, send_as};
use super::receipts::{PlaceBody, mark};
use super::state::RestState;
use crate::chat::limits;
use crate::domain::{
    Actor, ChatError, Command, Conversation, ConversationChange, ConversationDraft, ConversationId, ConversationKind,
    ConversationPatch, MessageId, Profile, Reply, Role, UserId, Watermarks,
};

/// Items of one call.
const ITEMS_MAX: usize = 1_000;

/// Users to create or change.
#[derive(Debug, Deserialize, ToSchema)]
pub struct UsersBody {
    /// At most 1,000
    users: Vec<UserItem>,
}

#[derive(Debug, Deserialize, ToSchema)]
struct UserItem {
    id: String,
    name: Option<String>,
    username: Option<String>,
    avatar: Option<String>,
    email: Option<String>,
}

/// What an upsert came to, in order.
#[derive(Debug, Serialize, ToSchema)]
pub struct Items<T> {
    items: Vec<T>,
}

/// Conversations to create or complete.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ConversationsBody {
    /// At most 1,000
    conversations: Vec<ConversationItem>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ConversationItem {
    /// A UUID; made when none is given
    #[schema(value_type = Option<String>)]
    id: Option<ConversationId>,
    kind: ConversationKind,
    title: Option<String>,
    #[schema(value_type = Option<String>)]
    owner_id: Option<UserId>,
    /// At most 1,000
    #[schema(value_type = Vec<String>)]
    member_ids: Vec<UserId>,
}

/// A place of a member.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberPlaceBody {
    #[schema(value_type = String)]
    user_id: UserId,
    seq: Option<u64>,
    #[schema(value_type = Option<String>)]
    message_id: Option<MessageId>,
}

fn bounded(count: usize, name: &str) -> Result<(), ChatError> {
    if count > ITEMS_MAX {
        return Err(ChatError::invalid(format!("{name}: at most {ITEMS_MAX} items a call")));
    }
    Ok(())
}

/// Create or change users
#[utoipa::path(post, path = "/service/users", tag = "service", security(("service" = [])), request_body = UsersBody,
    responses((status = 200, body = Items<Profile>), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub async fn users(
    State(state): State<RestState>,
    _: ServiceCaller,
    Body(body): Body<UsersBody>,
) -> Result<Json<Items<Profile>>, Problem> {
    bounded(body.users.len(), "users")?;
    let mut profiles = Vec::with_capacity(body.users.len());
    for item in body.users {
        let id = UserId::parse(&item.id).map_err(field("users.id"))?;
        let UserItem { id: _, name, username, avatar, email } = item;
        // A name that is the id was never given, so it replaces none.
        let name = name.map_or_else(|| Ok(id.to_string()), |name| limits::person_name(&name))?;
        let username = username.map(|name| limits::person_name(&name)).transpose()?;
        let avatar = avatar.map(|url| limits::avatar(&url)).transpose()?;
        let email = email.map(|address| limits::email(&address)).transpose()?;
        profiles.push(Profile { id, name, username, avatar, email });
    }
    Ok(Json(Items { items: state.chat.upsert_users(&profiles).await? }))
}

/// Create or complete conversations
///
/// One that exists keeps its members; those named and missing are added, a given title replaces the old one.
#[utoipa::path(post, path = "/service/conversations", tag = "service", security(("service" = [])), request_body = ConversationsBody,
    responses((status = 200, body = Items<Conversation>), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub async fn conversations(
    State(state): State<RestState>,
    _: ServiceCaller,
    Body(body): Body<ConversationsBody>,
) -> Result<Json<Items<Conversation>>, Problem> {
    bounded(body.conversations.len(), "conversations")?;
    let mut items = Vec::with_capacity(body.conversations.len());
    for item in body.conversations {
        items.push(upsert_conversation(&state, item).await?);
    }
    Ok(Json(Items { items }))
}

async fn upsert_conversation(state: &RestState, item: ConversationItem) -> Result<Conversation, Problem> {
    let ConversationItem { id, kind, title, owner_id, member_ids } = item;
    let title = title.as_deref().map(limits::title).transpose()?;
    let given_id = id.is_some();
    let draft = ConversationDraft {
        id: id.unwrap_or_else(|| state.chat.new_conversation_id()),
        kind,
        title: title.clone(),
        owner: owner_id,
        members: member_ids.clone(),
        client_id: None,
    };
    let service = || Actor::service(None);
    match state.chat.submit(service(), Command::CreateConversation(Box::new(draft))).await? {
        Reply::Conversation(change) => match *change {
            ConversationChange::Created(conversation) => Ok(conversation),
            ConversationChange::Existing(conversation) if given_id => {
                complete(state, conversation, title, member_ids).await
            }
            ConversationChange::Existing(conversation) => Ok(conversation),
        },
        Reply::Sent(_) | Reply::Changed(_) | Reply::Unchanged | Reply::Watermarks(_) => {
            Err(ChatError::internal().into())
        }
    }
}

/// Brings a conversation that exists to what was asked for.
async fn complete(
    state: &RestState,
    conversation: Conversation,
    title: Option<String>,
    members: Vec<UserId>,
) -> Result<Conversation, Problem> {
    let id = conversation.id;
    if title.is_some() && title != conversation.title {
        let patch = ConversationPatch { title: Some(title), ..ConversationPatch::default() };
        state.chat.submit(Actor::service(None), Command::UpdateConversation { conversation: id, patch }).await?;
    }
    if conversation.kind != ConversationKind::Direct {
        for user in members {
            let command = Command::AddMember { conversation: id, user, role: Role::Member };
            state.chat.submit(Actor::service(None), command).await?;
        }
    }
    Ok(state.chat.any_conversation(id).await?)
}

/// Send in somebody's name
#[utoipa::path(post, path = "/service/conversations/{id}/messages", tag = "service", security(("service" = [])), request_body = SendBody,
    params(("id" = String, Path, description = "Conversation id")),
    responses((status = 201, body = SentBody), (status = 200, body = SentBody), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 413, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn send(
    State(state): State<RestState>,
    _: ServiceCaller,
    PathId(conversation): PathId<ConversationId>,
    Body(body): Body<SendBody>,
) -> Result<(StatusCode, Json<SentBody>), Problem> {
    let sender = body.sender_id.as_deref().ok_or_else(|| ChatError::invalid("senderId is missing"))?;
    let sender = UserId::parse(sender).map_err(field("senderId"))?;
    send_as(&state, Actor::service(Some(sender)), conversation, &body).await
}

/// A member has read up to a place
#[utoipa::path(post, path = "/service/conversations/{id}/read", tag = "service", security(("service" = [])), request_body = MemberPlaceBody,
    params(("id" = String, Path, description = "Conversation id")),
    responses((status = 200, body = Watermarks), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn read(
    State(state): State<RestState>,
    _: ServiceCaller,
    PathId(conversation): PathId<ConversationId>,
    Body(body): Body<MemberPlaceBody>,
) -> Result<Json<Watermarks>, Problem> {
    let upto = PlaceBody::new(body.seq, body.message_id).place()?;
    mark(&state, Actor::service(Some(body.user_id)), Command::MarkRead { conversation, upto }).await
}

/// A member's device has received up to a place
#[utoipa::path(post, path = "/service/conversations/{id}/delivered", tag = "service", security(("service" = [])), request_body = MemberPlaceBody,
    params(("id" = String, Path, description = "Conversation id")),
    responses((status = 200, body = Watermarks), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn delivered(
    State(state): State<RestState>,
    _: ServiceCaller,
    PathId(conversation): PathId<ConversationId>,
    Body(body): Body<MemberPlaceBody>,
) -> Result<Json<Watermarks>, Problem> {
    let upto = PlaceBody::new(body.seq, body.message_id).place()?;
    mark(&state, Actor::service(Some(body.user_id)), Command::MarkDelivered { conversation, upto }).await
}
