//! Acts on a conversation that are no sends: who is in it, as what, and how it looks.

use serde_json::json;
use sqlx::Row;

use super::append::{Judged, Permit};
use super::connection::classify;
use super::transaction::{NewEvent, NewTask, Writing};
use crate::domain::{ConversationPatch, Role, UserId};
use crate::store::Append;
use crate::store::batch::{Failure, Verdict};
use crate::store::rows::{rank, role};

statements! {
    ROLE_NOW = "SELECT role FROM members WHERE conversation = $1 AND user_id = $2";
    USER_EXISTS = "SELECT 1 FROM users WHERE id = $1";
    ADD = "
        INSERT INTO members (conversation, user_id, role, joined_at, joined_seq, delivered_seq, read_seq, moved_at)
        VALUES ($1, $2, $3, $4, $5, $5, $5, $4)";
    REMOVE = "DELETE FROM members WHERE conversation = $1 AND user_id = $2";
    OTHER_OWNER = "SELECT 1 FROM members WHERE conversation = $1 AND role = 3 AND user_id <> $2 LIMIT 1";
    HEIR = "SELECT user_id FROM members WHERE conversation = $1 ORDER BY role DESC, joined_at, user_id LIMIT 1";
    PUT_ROLE = "UPDATE members SET role = $3 WHERE conversation = $1 AND user_id = $2";
    /// Each value comes with whether it is to be set.
    PATCH = "
        UPDATE conversations SET
            title = CASE WHEN $2 THEN $3 ELSE title END,
            avatar = CASE WHEN $4 THEN $5 ELSE avatar END,
            retention_days = CASE WHEN $6 THEN $7 ELSE retention_days END
        WHERE id = $1 AND (
            ($2 AND title IS NOT $3) OR ($4 AND avatar IS NOT $5) OR ($6 AND retention_days IS NOT $7))";
}

/// The event that tells of this act.
fn event<'a>(write: &'a Append, kind: &'static str) -> NewEvent<'a> {
    NewEvent {
        kind,
        origin: write.origin.map(|origin| origin.as_uuid()),
        actor: write.actor.as_ref().map(UserId::as_str),
        client_id: Some(write.client_id.as_str()),
        ..NewEvent::default()
    }
}

async fn role_of(writing: &mut Writing, write: &Append, user: &UserId) -> Result<Option<Role>, Failure> {
    let row = writing.row(sqlx::query(ROLE_NOW).bind(write.conversation.as_uuid()).bind(user.as_str())).await?;
    let rank: Option<i16> = row.map(|row| row.try_get(0)).transpose().map_err(classify)?;
    Ok(rank.map(role).transpose()?)
}

async fn has_other_owner(writing: &mut Writing, write: &Append, user: &UserId) -> Result<bool, Failure> {
    let query = sqlx::query(OTHER_OWNER).bind(write.conversation.as_uuid()).bind(user.as_str());
    Ok(writing.row(query).await?.is_some())
}

/// Adds a member.
pub(super) async fn add(writing: &mut Writing, write: &Append, user: &UserId, role: Role) -> Result<Judged, Failure> {
    if role_of(writing, write, user).await?.is_some() {
        return Ok(Verdict::Unchanged.into());
    }
    if writing.row(sqlx::query(USER_EXISTS).bind(user.as_str())).await?.is_none() {
        return Ok(Verdict::UnknownUser.into());
    }
    let feed = write.conversation.as_uuid();
    let args = json!({"user": user, "role": role, "by": write.actor}).to_string();
    let (place, at) = writing.log(feed, NewEvent { args: Some(args), ..event(write, "member.added") }).await?;
    let query = sqlx::query(ADD).bind(feed).bind(user.as_str()).bind(rank(role)).bind(at).bind(place);
    writing.change(query).await?;
    let args = json!({"fromSeq": place - 1}).to_string();
    writing.put_task(NewTask { user: user.as_str(), kind: "conversation.added", feed, seq: place, args }).await?;
    Ok(Judged::written(place))
}

/// Removes a member; when the last owner goes, hands the conversation over.
pub(super) async fn remove(
    writing: &mut Writing,
    write: &Append,
    user: &UserId,
    permit: &Permit,
) -> Result<Judged, Failure> {
    let Some(role) = role_of(writing, write, user).await? else { return Ok(Verdict::NotFound.into()) };
    let is_other = write.actor.as_ref() != Some(user);
    if is_other && role > Role::Member && permit.role.is_some_and(|actor| actor < Role::Owner) {
        return Ok(Verdict::Forbidden.into());
    }
    let feed = write.conversation.as_uuid();
    writing.change(sqlx::query(REMOVE).bind(feed).bind(user.as_str())).await?;
    let args = json!({"user": user, "by": write.actor}).to_string();
    let (place, _) = writing.log(feed, NewEvent { args: Some(args), ..event(write, "member.removed") }).await?;
    let args = json!({"conversation": write.conversation}).to_string();
    writing.put_task(NewTask { user: user.as_str(), kind: "conversation.removed", feed, seq: place, args }).await?;
    let also = match role {
        Role::Owner if !has_other_owner(writing, write, user).await? => hand_over(writing, write).await?,
        Role::Owner | Role::Admin | Role::Member => None,
    };
    Ok(Judged { also, ..Judged::written(place) })
}

/// Makes the oldest admin, else the oldest member, the owner.
async fn hand_over(writing: &mut Writing, write: &Append) -> Result<Option<i64>, Failure> {
    let feed = write.conversation.as_uuid();
    let Some(row) = writing.row(sqlx::query(HEIR).bind(feed)).await? else { return Ok(None) };
    let heir: String = row.try_get(0).map_err(classify)?;
    writing.change(sqlx::query(PUT_ROLE).bind(feed).bind(&heir).bind(rank(Role::Owner))).await?;
    let args = json!({"user": heir, "role": Role::Owner, "by": null}).to_string();
    let event = NewEvent { kind: "member.role", args: Some(args), ..NewEvent::default() };
    Ok(Some(writing.log(feed, event).await?.0))
}

/// Changes what a member may do.
pub(super) async fn set_role(
    writing: &mut Writing,
    write: &Append,
    user: &UserId,
    role: Role,
) -> Result<Judged, Failure> {
    let Some(old) = role_of(writing, write, user).await? else { return Ok(Verdict::NotFound.into()) };
    if old == role {
        return Ok(Verdict::Unchanged.into());
    }
    if old == Role::Owner && !has_other_owner(writing, write, user).await? {
        return Ok(Verdict::LastOwner.into());
    }
    let feed = write.conversation.as_uuid();
    writing.change(sqlx::query(PUT_ROLE).bind(feed).bind(user.as_str()).bind(rank(role))).await?;
    let args = json!({"user": user, "role": role, "by": write.actor}).to_string();
    let (place, _) = writing.log(feed, NewEvent { args: Some(args), ..event(write, "member.role") }).await?;
    Ok(Judged::written(place))
}

/// Changes the conversation.
pub(super) async fn update(
    writing: &mut Writing,
    write: &Append,
    patch: &ConversationPatch,
) -> Result<Judged, Failure> {
    let feed = write.conversation.as_uuid();
    let query = sqlx::query(PATCH)
        .bind(feed)
        .bind(patch.title.is_some())
        .bind(patch.title.clone().flatten())
        .bind(patch.avatar.is_some())
        .bind(patch.avatar.clone().flatten())
        .bind(patch.retention_days.is_some())
        .bind(patch.retention_days.flatten());
    if writing.change(query).await? == 0 {
        return Ok(Verdict::Unchanged.into());
    }
    let (place, _) = writing.log(feed, NewEvent { about: Some(feed), ..event(write, "conversation.updated") }).await?;
    Ok(Judged::written(place))
}
