//! The call of the log writer: one transaction, the writes one after the other.

use std::collections::HashSet;

use async_trait::async_trait;
use sqlx::{FromRow, Row};

use super::connection::classify;
use super::transaction::{NewEvent, Writing};
use super::{SqliteStore, membership};
use crate::domain::{Draft, FeedId, Role, UserId};
use crate::store::batch::{Attempt, Failure, Patience, Verdict};
use crate::store::rows::{EventRow, defect, kind, role, stored_content, stored_ids};
use crate::store::{Append, Outcome, WriteAct};

statements! {
    /// All that the verdict depends on.
    JUDGE = "
        SELECT c.kind, m.role, d.seq AS old_seq, r.id IS NOT NULL AS reply_is_here
        FROM (SELECT 1)
        LEFT JOIN conversations c ON c.id = $1
        LEFT JOIN members m ON m.conversation = $1 AND m.user_id = $2
        LEFT JOIN events d ON d.feed = $1 AND d.actor = coalesce($2, '') AND d.client_id = $3
        LEFT JOIN messages r ON r.id = $4 AND r.conversation = $1";
    STORE = "
        INSERT INTO messages (id, conversation, seq, sender, client_id, kind, content, content_json, reply_to, mentions, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    MOVE_SENDER = "
        UPDATE members SET read_seq = max(read_seq, $3), delivered_seq = max(delivered_seq, $3), moved_at = $4
        WHERE conversation = $1 AND user_id = $2";
    MENTIONED = "
        SELECT user_id FROM members
        WHERE conversation = $1 AND user_id IN (SELECT value FROM json_each($2))";
    EVENT = "SELECT * FROM rendered_events WHERE event_feed = $1 AND event_seq = $2";
}

/// What became of one write, and where its events are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judged {
    pub(super) verdict: Verdict,
    pub(super) place: Option<i64>,
    /// The place of a second event.
    pub(super) also: Option<i64>,
}

impl From<Verdict> for Judged {
    fn from(verdict: Verdict) -> Self {
        Self { verdict, place: None, also: None }
    }
}

impl Judged {
    pub(super) const fn written(place: i64) -> Self {
        Self { verdict: Verdict::Written, place: Some(place), also: None }
    }
}

/// Who asks, once they may: a role where the actor is a member, none for the service API and the system.
pub(super) struct Permit {
    pub(super) role: Option<Role>,
    reply_is_here: bool,
}

#[async_trait]
impl Attempt for SqliteStore {
    async fn attempt(&self, writes: &[&Append], _: Patience) -> Result<Vec<Outcome>, Failure> {
        self.writer.in_time(self.write(writes)).await
    }
}

impl SqliteStore {
    async fn write(&self, writes: &[&Append]) -> Result<Vec<Outcome>, Failure> {
        let mut writing = Writing::begin(self.writer.pool()).await?;
        let mut judged = Vec::with_capacity(writes.len());
        for write in writes {
            judged.push(write_one(&mut writing, write).await?);
        }
        let mut outcomes = Vec::with_capacity(writes.len());
        for (write, judged) in writes.iter().zip(judged) {
            let mut events = Vec::new();
            for place in judged.place.into_iter().chain(judged.also) {
                let query = sqlx::query(EVENT).bind(write.conversation.as_uuid()).bind(place);
                let row = writing.row(query).await?.ok_or_else(|| defect("an event that was written is not there"))?;
                let row = EventRow::from_row(&row).map_err(classify)?;
                events.extend(row.into_event(FeedId::Conversation(write.conversation))?);
            }
            outcomes.push(judged.verdict.outcome(events)?);
        }
        writing.commit().await?;
        Ok(outcomes)
    }
}

async fn write_one(writing: &mut Writing, write: &Append) -> Result<Judged, Failure> {
    let permit = match judge(writing, write).await? {
        Ok(permit) => permit,
        Err(judged) => return Ok(judged),
    };
    match &write.act {
        WriteAct::Send(draft) => match &write.actor {
            Some(_) if draft.reply_to.is_some() && !permit.reply_is_here => Ok(Verdict::ReplyElsewhere.into()),
            Some(sender) => send(writing, write, draft, sender).await,
            None => Ok(Verdict::NoSender.into()),
        },
        WriteAct::AddMember(user, role) => membership::add(writing, write, user, *role).await,
        WriteAct::RemoveMember(user) => membership::remove(writing, write, user, &permit).await,
        WriteAct::SetRole(user, role) => membership::set_role(writing, write, user, *role).await,
        WriteAct::Update(patch) => membership::update(writing, write, patch).await,
    }
}

/// The duplicate first: what was done once stays done, whatever its actor may do now.
async fn judge(writing: &mut Writing, write: &Append) -> Result<Result<Permit, Judged>, Failure> {
    let reply_to = match &write.act {
        WriteAct::Send(draft) => draft.reply_to.map(|answered| answered.as_uuid()),
        WriteAct::AddMember(..) | WriteAct::RemoveMember(_) | WriteAct::SetRole(..) | WriteAct::Update(_) => None,
    };
    let query = sqlx::query(JUDGE)
        .bind(write.conversation.as_uuid())
        .bind(write.actor.as_ref().map(UserId::as_str))
        .bind(write.client_id.as_str())
        .bind(reply_to);
    let row = writing.row(query).await?.ok_or_else(|| defect("no verdict"))?;
    if let Some(place) = row.try_get::<Option<i64>, _>("old_seq").map_err(classify)? {
        return Ok(Err(Judged { verdict: Verdict::Duplicate, place: Some(place), also: None }));
    }
    let Some(kind_name) = row.try_get::<Option<&str>, _>("kind").map_err(classify)? else {
        return Ok(Err(Verdict::NotFound.into()));
    };
    let kind = kind(kind_name)?;
    let rank: Option<i16> = row.try_get("role").map_err(classify)?;
    let permit =
        Permit { role: rank.map(role).transpose()?, reply_is_here: row.try_get("reply_is_here").map_err(classify)? };
    Ok(match (&write.actor, permit.role) {
        (Some(_), None) => Err(Verdict::NotFound.into()),
        (Some(_), Some(role)) if !write.permission.allows(kind, role) => Err(Verdict::Forbidden.into()),
        (None, _) if write.permission.least_role(kind).is_none() => Err(Verdict::Forbidden.into()),
        (Some(_), Some(_)) | (None, _) => Ok(permit),
    })
}

async fn send(writing: &mut Writing, write: &Append, draft: &Draft, sender: &UserId) -> Result<Judged, Failure> {
    let conversation = write.conversation.as_uuid();
    let event = NewEvent {
        kind: "message.new",
        message: Some(draft.id.as_uuid()),
        origin: write.origin.map(|origin| origin.as_uuid()),
        actor: Some(sender.as_str()),
        client_id: Some(write.client_id.as_str()),
        ..NewEvent::default()
    };
    let (place, at) = writing.log(conversation, event).await?;
    let (content, is_json) = stored_content(&draft.content);
    let mentions = mentioned(writing, write, draft).await?;
    let store = sqlx::query(STORE)
        .bind(draft.id.as_uuid())
        .bind(conversation)
        .bind(place)
        .bind(sender.as_str())
        .bind(write.client_id.as_str())
        .bind(&draft.kind.0)
        .bind(content)
        .bind(is_json)
        .bind(draft.reply_to.map(|answered| answered.as_uuid()))
        .bind(stored_ids(&mentions))
        .bind(at);
    writing.change(store).await?;
    let now = writing.now;
    writing.change(sqlx::query(MOVE_SENDER).bind(conversation).bind(sender.as_str()).bind(place).bind(now)).await?;
    Ok(Judged::written(place))
}

/// Those of the named that are members, in the order in which they are named.
async fn mentioned(writing: &mut Writing, write: &Append, draft: &Draft) -> Result<Vec<UserId>, Failure> {
    if draft.mentions.is_empty() {
        return Ok(Vec::new());
    }
    let named = serde_json::to_string(&draft.mentions).map_err(defect)?;
    let rows = writing.rows(sqlx::query(MENTIONED).bind(write.conversation.as_uuid()).bind(named)).await?;
    let members: HashSet<&str> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(classify)?;
    Ok(draft.mentions.iter().filter(|user| members.contains(user.as_str())).cloned().collect())
}
