//! The call of the log writer: a batch as columns of values, one statement, one commit.

use async_trait::async_trait;
use serde_json::json;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};
use uuid::Uuid;

use super::PostgresStore;
use super::connection::classify;
use crate::domain::{ConversationId, ConversationKind, Event, FeedId};
use crate::store::batch::{Attempt, Failure, Patience, Verdict, feeds, steps};
use crate::store::rows::{EventRow, defect, rank, stored_content, stored_ids};
use crate::store::{Append, Outcome, StoreError, WriteAct};

statements! {
    APPEND = "SELECT * FROM append_v1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)";
}

/// A batch, one column per property: what `append_v1` takes apart with `unnest`.
#[derive(Default)]
struct Columns<'a> {
    conversation: Vec<Uuid>,
    actor: Vec<Option<&'a str>>,
    origin: Vec<Option<Uuid>>,
    client_id: Vec<&'a str>,
    direct: Vec<Option<i16>>,
    group: Vec<Option<i16>>,
    channel: Vec<Option<i16>>,
    act: Vec<&'static str>,
    args: Vec<Option<String>>,
    message: Vec<Option<Uuid>>,
    kind: Vec<Option<&'a str>>,
    content: Vec<Option<&'a str>>,
    json: Vec<Option<bool>>,
    reply: Vec<Option<Uuid>>,
    mentions: Vec<Option<String>>,
}

impl<'a> Columns<'a> {
    fn of(writes: &[&'a Append]) -> Result<Self, StoreError> {
        let mut columns = Self::default();
        for write in writes {
            columns.push_common(write);
            columns.push_act(&write.act)?;
        }
        Ok(columns)
    }

    fn push_common(&mut self, write: &'a Append) {
        let least = |kind| write.permission.least_role(kind).map(rank);
        self.conversation.push(write.conversation.as_uuid());
        self.actor.push(write.actor.as_ref().map(|actor| actor.as_str()));
        self.origin.push(write.origin.map(|origin| origin.as_uuid()));
        self.client_id.push(write.client_id.as_str());
        self.direct.push(least(ConversationKind::Direct));
        self.group.push(least(ConversationKind::Group));
        self.channel.push(least(ConversationKind::Channel));
    }

    fn push_act(&mut self, act: &'a WriteAct) -> Result<(), StoreError> {
        let (name, args) = match act {
            WriteAct::Send(draft) => {
                let (content, is_json) = stored_content(&draft.content);
                self.act.push("send");
                self.args.push(None);
                self.message.push(Some(draft.id.as_uuid()));
                self.kind.push(Some(&draft.kind.0));
                self.content.push(Some(content));
                self.json.push(Some(is_json));
                self.reply.push(draft.reply_to.map(|answered| answered.as_uuid()));
                self.mentions.push(stored_ids(&draft.mentions));
                return Ok(());
            }
            WriteAct::AddMember(user, role) => ("add", json!({"user": user, "role": rank(*role)})),
            WriteAct::RemoveMember(user) => ("remove", json!({"user": user})),
            WriteAct::SetRole(user, role) => ("role", json!({"user": user, "role": rank(*role)})),
            WriteAct::Update(patch) => ("update", serde_json::to_value(patch).map_err(defect)?),
        };
        self.act.push(name);
        self.args.push(Some(args.to_string()));
        self.message.push(None);
        self.kind.push(None);
        self.content.push(None);
        self.json.push(None);
        self.reply.push(None);
        self.mentions.push(None);
        Ok(())
    }
}

#[async_trait]
impl Attempt for PostgresStore {
    async fn attempt(&self, writes: &[&Append], patience: Patience) -> Result<Vec<Outcome>, Failure> {
        let columns = Columns::of(writes)?;
        let ends: Vec<i32> = steps(writes).iter().filter_map(|end| i32::try_from(end + 1).ok()).collect();
        let query = sqlx::query(APPEND)
            .bind(patience == Patience::Wait)
            .bind(ends)
            .bind(feeds(writes))
            .bind(columns.conversation)
            .bind(columns.actor)
            .bind(columns.origin)
            .bind(columns.client_id)
            .bind(columns.direct)
            .bind(columns.group)
            .bind(columns.channel)
            .bind(columns.act)
            .bind(columns.args)
            .bind(columns.message)
            .bind(columns.kind)
            .bind(columns.content)
            .bind(columns.json)
            .bind(columns.reply)
            .bind(columns.mentions);
        let rows = self.writers.rows(query).await?;
        Ok(outcomes(writes, &rows)?)
    }
}

/// One row for each write, and one more for each second event.
fn outcomes(writes: &[&Append], rows: &[PgRow]) -> Result<Vec<Outcome>, StoreError> {
    let mut found: Vec<(Option<Verdict>, Vec<Event>)> = writes.iter().map(|_| (None, Vec::new())).collect();
    for row in rows {
        let place: i32 = row.try_get("idx").map_err(classify)?;
        let place = usize::try_from(place - 1).map_err(defect)?;
        let (Some(write), Some((verdict, events))) = (writes.get(place), found.get_mut(place)) else {
            return Err(defect("an outcome of no write"));
        };
        events.extend(event(row, write.conversation)?);
        let name: &str = row.try_get("outcome").map_err(classify)?;
        if name != "also" {
            *verdict = Some(Verdict::parse(name).ok_or_else(|| defect(format_args!("no outcome is called {name}")))?);
        }
    }
    let verdict_missing = || defect("a write without an outcome");
    found.into_iter().map(|(verdict, events)| verdict.ok_or_else(verdict_missing)?.outcome(events)).collect()
}

fn event(row: &PgRow, conversation: ConversationId) -> Result<Option<Event>, StoreError> {
    EventRow::from_row(row).map_err(classify)?.into_event(FeedId::Conversation(conversation))
}
