//! How far members have come.

use async_trait::async_trait;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};

use super::PostgresStore;
use super::connection::classify;
use crate::domain::{ConversationId, UserId, Watermarks};
use crate::store::rows::{WatermarksRow, defect, seq, stored_seq, user_id};
use crate::store::{Advance, Advanced, ReceiptStore, StoreError};

statements! {
    /// Locks in the order of members, takes what is there after the lock, and writes only what moves. The head may be that of a
    /// moment ago: whoever has seen an event asks after its commit, so its place is not cut off.
    ADVANCE = "
        WITH asked AS MATERIALIZED (
            SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[])
                WITH ORDINALITY AS a (conversation, user_id, delivered, read, place)
        ), locked AS MATERIALIZED (
            SELECT m.conversation, m.user_id, m.delivered_seq, m.read_seq, a.place,
                greatest(m.read_seq, least(a.read, f.head)) AS read_to,
                greatest(m.delivered_seq, least(greatest(a.delivered, a.read), f.head)) AS delivered_to
            FROM asked a
            JOIN members m ON m.conversation = a.conversation AND m.user_id = a.user_id
            JOIN feeds f ON f.id = a.conversation
            ORDER BY m.conversation, m.user_id
            FOR NO KEY UPDATE OF m
        ), moved AS (
            UPDATE members m
            SET read_seq = greatest(m.read_seq, l.read_to), delivered_seq = greatest(m.delivered_seq, l.delivered_to),
                moved_at = now_ms()
            FROM locked l
            WHERE m.conversation = l.conversation AND m.user_id = l.user_id
                AND (l.read_to > l.read_seq OR l.delivered_to > l.delivered_seq)
        )
        SELECT place, delivered_seq, read_seq, delivered_to, read_to FROM locked";

    /// Reads all members of the conversation: an index on what every send moves would cost each of them more.
    WATERMARKS = "
        SELECT user_id, delivered_seq, read_seq FROM members WHERE conversation = $1
        ORDER BY moved_at DESC, user_id LIMIT $2";
}

#[derive(FromRow)]
struct AdvancedRow {
    place: i64,
    #[sqlx(flatten)]
    from: WatermarksRow,
    delivered_to: i64,
    read_to: i64,
}

#[async_trait]
impl ReceiptStore for PostgresStore {
    async fn advance(&self, batch: &[Advance]) -> Result<Vec<Option<Advanced>>, StoreError> {
        let query = sqlx::query(ADVANCE)
            .bind(batch.iter().map(|ask| ask.conversation.as_uuid()).collect::<Vec<_>>())
            .bind(batch.iter().map(|ask| ask.user.as_str()).collect::<Vec<_>>())
            .bind(batch.iter().map(|ask| stored_seq(ask.to.delivered_seq)).collect::<Vec<_>>())
            .bind(batch.iter().map(|ask| stored_seq(ask.to.read_seq)).collect::<Vec<_>>());
        let mut answers = vec![None; batch.len()];
        for row in self.writers.rows(query).await? {
            let row = AdvancedRow::from_row(&row).map_err(classify)?;
            let place = usize::try_from(row.place - 1).map_err(defect)?;
            let answer = answers.get_mut(place).ok_or_else(|| defect("an answer to no wish"))?;
            let to = Watermarks { delivered_seq: seq(row.delivered_to)?, read_seq: seq(row.read_to)? };
            *answer = Some(Advanced { from: row.from.into_watermarks()?, to });
        }
        Ok(answers)
    }

    async fn watermarks(
        &self,
        conversation: ConversationId,
        limit: u32,
    ) -> Result<Vec<(UserId, Watermarks)>, StoreError> {
        let query = sqlx::query(WATERMARKS).bind(conversation.as_uuid()).bind(i64::from(limit.min(200)));
        let rows = self.readers.rows(query).await?;
        let one = |row: &PgRow| {
            let user = user_id(row.try_get("user_id").map_err(classify)?)?;
            Ok((user, WatermarksRow::from_row(row).map_err(classify)?.into_watermarks()?))
        };
        rows.iter().map(one).collect()
    }
}
