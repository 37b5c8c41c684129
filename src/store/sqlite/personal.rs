//! Personal feeds, written from the outbox.

use async_trait::async_trait;
use sqlx::FromRow;
use uuid::Uuid;

use super::SqliteStore;
use super::connection::classify;
use super::transaction::{NewEvent, Writing};
use crate::domain::{Event, FeedId};
use crate::store::batch::Failure;
use crate::store::rows::{EventRow, defect, user_id};
use crate::store::{PersonalStore, StoreError};

statements! {
    /// Kinds of a newer version wait for one that knows them.
    WAITING = "
        SELECT o.id, o.user_id, o.kind, o.feed, o.seq, o.args, f.id AS personal
        FROM outbox o JOIN feeds f ON f.owner = o.user_id
        WHERE o.kind IN ('conversation.added', 'conversation.removed')
        ORDER BY o.id LIMIT $1";
    ANY_WAITING = "SELECT 1 FROM outbox WHERE kind IN ('conversation.added', 'conversation.removed') LIMIT 1";
    DONE = "DELETE FROM outbox WHERE id = $1";
    EVENT = "SELECT * FROM rendered_events WHERE event_feed = $1 AND event_seq = $2";
}

#[derive(FromRow)]
struct Task {
    id: i64,
    user_id: String,
    kind: String,
    feed: Uuid,
    seq: i64,
    args: String,
    personal: Uuid,
}

impl Task {
    fn kind(&self) -> Result<&'static str, StoreError> {
        match self.kind.as_str() {
            "conversation.added" => Ok("conversation.added"),
            "conversation.removed" => Ok("conversation.removed"),
            other => Err(defect(format_args!("no task is called {other}"))),
        }
    }
}

#[async_trait]
impl PersonalStore for SqliteStore {
    async fn work_outbox(&self, limit: u32) -> Result<Vec<Event>, StoreError> {
        // The usual case costs no write: nobody waits.
        if self.readers.row(sqlx::query(ANY_WAITING)).await?.is_none() {
            return Ok(Vec::new());
        }
        Ok(self.writer.in_time(self.work(limit)).await?)
    }
}

impl SqliteStore {
    async fn work(&self, limit: u32) -> Result<Vec<Event>, Failure> {
        let mut writing = Writing::begin(self.writer.pool()).await?;
        let rows = writing.rows(sqlx::query(WAITING).bind(i64::from(limit))).await?;
        let mut events = Vec::with_capacity(rows.len());
        for row in &rows {
            events.extend(work_one(&mut writing, &Task::from_row(row).map_err(classify)?).await?);
        }
        writing.commit().await?;
        Ok(events)
    }
}

async fn work_one(writing: &mut Writing, task: &Task) -> Result<Option<Event>, Failure> {
    let conversation = task.feed.hyphenated();
    let once = format!("{}:{conversation}:{}", task.kind, task.seq);
    let event = NewEvent {
        kind: task.kind()?,
        about: Some(task.feed),
        client_id: Some(&once),
        args: Some(task.args.clone()),
        ..NewEvent::default()
    };
    let (place, _) = writing.log(task.personal, event).await?;
    writing.change(sqlx::query(DONE).bind(task.id)).await?;
    let row = writing.row(sqlx::query(EVENT).bind(task.personal).bind(place)).await?;
    let row = row.ok_or_else(|| defect("a personal event that was written is not there"))?;
    let row = EventRow::from_row(&row).map_err(classify)?;
    Ok(row.into_event(FeedId::User(user_id(&task.user_id)?))?)
}
