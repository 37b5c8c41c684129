//! Personal feeds, written from the outbox.

use async_trait::async_trait;
use sqlx::{FromRow, Row};

use super::PostgresStore;
use super::connection::classify;
use crate::domain::{Event, FeedId};
use crate::store::rows::{EventRow, user_id};
use crate::store::{PersonalStore, StoreError};

statements! {
    WORK_OUTBOX = "SELECT w.owner, (w.event).* FROM work_outbox_v1($1) w";
}

#[async_trait]
impl PersonalStore for PostgresStore {
    async fn work_outbox(&self, limit: u32) -> Result<Vec<Event>, StoreError> {
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        let rows = self.writers.rows(sqlx::query(WORK_OUTBOX).bind(limit)).await?;
        let mut events = Vec::with_capacity(rows.len());
        for row in &rows {
            let owner: &str = row.try_get("owner").map_err(classify)?;
            events.extend(EventRow::from_row(row).map_err(classify)?.into_event(FeedId::User(user_id(owner)?))?);
        }
        Ok(events)
    }
}
