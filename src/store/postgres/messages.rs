//! Messages as they are now.

use async_trait::async_trait;
use sqlx::FromRow;
use sqlx::Postgres;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;

use super::PostgresStore;
use super::connection::classify;
use crate::domain::{ConversationId, Message, MessageId, Seq};
use crate::store::rows::{MessageRow, stored_seq};
use crate::store::{MessageStore, StoreError};

const LIMIT_MAX: u32 = 100;

statements! {
    MESSAGE = "SELECT * FROM rendered_messages_v1 WHERE id = $1";
    BEFORE = "SELECT * FROM rendered_messages_v1 WHERE conversation = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3";
    AFTER = "SELECT * FROM rendered_messages_v1 WHERE conversation = $1 AND seq > $2 ORDER BY seq LIMIT $3";
}

fn message(row: &PgRow) -> Result<Option<Message>, StoreError> {
    MessageRow::from_row(row).map_err(classify)?.into_message()
}

impl PostgresStore {
    async fn messages(&self, query: Query<'_, Postgres, PgArguments>) -> Result<Vec<Message>, StoreError> {
        self.readers.rows(query).await?.iter().filter_map(|row| message(row).transpose()).collect()
    }
}

#[async_trait]
impl MessageStore for PostgresStore {
    async fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        Ok(self.messages(sqlx::query(MESSAGE).bind(id.as_uuid())).await?.pop())
    }

    async fn messages_before(
        &self,
        conversation: ConversationId,
        before: Option<Seq>,
        limit: u32,
    ) -> Result<Vec<Message>, StoreError> {
        let before = before.map_or(i64::MAX, stored_seq);
        let limit = i64::from(limit.min(LIMIT_MAX));
        self.messages(sqlx::query(BEFORE).bind(conversation.as_uuid()).bind(before).bind(limit)).await
    }

    async fn messages_after(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: u32,
    ) -> Result<Vec<Message>, StoreError> {
        let limit = i64::from(limit.min(LIMIT_MAX));
        self.messages(sqlx::query(AFTER).bind(conversation.as_uuid()).bind(stored_seq(after)).bind(limit)).await
    }
}
