//! How far members have come.

use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row};

use super::SqliteStore;
use super::connection::classify;
use super::transaction::Writing;
use crate::domain::{ConversationId, UserId, Watermarks};
use crate::store::batch::Failure;
use crate::store::rows::{WatermarksRow, seq, stored_seq, user_id};
use crate::store::{Advance, Advanced, ReceiptStore, StoreError};

statements! {
    PLACE = "
        SELECT m.delivered_seq, m.read_seq, f.head
        FROM members m JOIN feeds f ON f.id = m.conversation
        WHERE m.conversation = $1 AND m.user_id = $2";
    MOVE = "
        UPDATE members SET delivered_seq = $3, read_seq = $4, moved_at = $5
        WHERE conversation = $1 AND user_id = $2";
    WATERMARKS = "
        SELECT user_id, delivered_seq, read_seq FROM members WHERE conversation = $1
        ORDER BY moved_at DESC, user_id LIMIT $2";
}

impl SqliteStore {
    async fn advance_all(&self, batch: &[Advance]) -> Result<Vec<Option<Advanced>>, Failure> {
        let mut writing = Writing::begin(self.writer.pool()).await?;
        let mut moved = Vec::with_capacity(batch.len());
        for ask in batch {
            moved.push(advance_one(&mut writing, ask).await?);
        }
        writing.commit().await?;
        Ok(moved)
    }
}

async fn advance_one(writing: &mut Writing, ask: &Advance) -> Result<Option<Advanced>, Failure> {
    let conversation = ask.conversation.as_uuid();
    let row = writing.row(sqlx::query(PLACE).bind(conversation).bind(ask.user.as_str())).await?;
    let Some(row) = row else { return Ok(None) };
    let from = WatermarksRow::from_row(&row).map_err(classify)?.into_watermarks()?;
    let head = seq(row.try_get("head").map_err(classify)?)?;
    let delivered = ask.to.delivered_seq.max(ask.to.read_seq);
    let to = Watermarks {
        delivered_seq: from.delivered_seq.max(delivered.min(head)),
        read_seq: from.read_seq.max(ask.to.read_seq.min(head)),
    };
    if to != from {
        let query = sqlx::query(MOVE)
            .bind(conversation)
            .bind(ask.user.as_str())
            .bind(stored_seq(to.delivered_seq))
            .bind(stored_seq(to.read_seq))
            .bind(writing.now);
        writing.change(query).await?;
    }
    Ok(Some(Advanced { from, to }))
}

#[async_trait]
impl ReceiptStore for SqliteStore {
    async fn advance(&self, batch: &[Advance]) -> Result<Vec<Option<Advanced>>, StoreError> {
        Ok(self.writer.in_time(self.advance_all(batch)).await?)
    }

    async fn watermarks(
        &self,
        conversation: ConversationId,
        limit: u32,
    ) -> Result<Vec<(UserId, Watermarks)>, StoreError> {
        let query = sqlx::query(WATERMARKS).bind(conversation.as_uuid()).bind(i64::from(limit.min(200)));
        let rows = self.readers.rows(query).await?;
        let one = |row: &SqliteRow| {
            let user = user_id(row.try_get("user_id").map_err(classify)?)?;
            Ok((user, WatermarksRow::from_row(row).map_err(classify)?.into_watermarks()?))
        };
        rows.iter().map(one).collect()
    }
}
