//! Conversations and members.

use async_trait::async_trait;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};
use uuid::Uuid;

use super::PostgresStore;
use super::connection::classify;
use crate::domain::{
    Conversation, ConversationChange, ConversationDraft, ConversationId, ConversationView, Member, UserId,
};
use crate::store::page::{page, place, rows_wanted, uuid_place};
use crate::store::rows::{ConversationRow, MemberRow, ViewRow, defect, kind_name};
use crate::store::{ConversationStore, Page, PageAsk, StoreError};

statements! {
    CREATE = "SELECT made, created, refused FROM create_conversation_v1($1, $2, $3, $4, $5, $6)";

    CONVERSATION = "
        SELECT c.id AS about_id, c.kind AS about_kind, c.title AS about_title, c.avatar AS about_avatar,
            c.retention_days AS about_retention_days, c.created_at AS about_created_at, f.head AS about_head
        FROM conversations c JOIN feeds f ON f.id = c.id
        WHERE c.id = $1";

    /// $1 user, $2 conversation or none for all, $3 and $4 the place to go on from, $5 how many.
    VIEWS = "
        WITH listed AS (
            SELECT m.*, f.head, f.last_at
            FROM members m JOIN feeds f ON f.id = m.conversation
            WHERE m.user_id = $1
                AND m.conversation BETWEEN coalesce($2::uuid, '00000000-0000-0000-0000-000000000000') AND coalesce($2::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
                AND ($3::bigint IS NULL OR (f.last_at, f.id) < ($3, $4::uuid))
            ORDER BY f.last_at DESC, f.id DESC LIMIT $5
        )
        SELECT l.last_at, l.role, l.muted_until, l.archived, l.delivered_seq, l.read_seq,
            (SELECT count(*) FROM (
                SELECT FROM messages u
                WHERE u.conversation = l.conversation AND u.seq > greatest(l.read_seq, l.joined_seq)
                    AND u.sender <> $1 AND u.deleted_at IS NULL
                LIMIT 1000) u) AS unread,
            c.id AS about_id, c.kind AS about_kind, c.title AS about_title, c.avatar AS about_avatar,
            c.retention_days AS about_retention_days, c.created_at AS about_created_at, l.head AS about_head,
            m.*
        FROM listed l
        JOIN conversations c ON c.id = l.conversation
        LEFT JOIN LATERAL (
            SELECT r.* FROM rendered_messages_v1 r WHERE r.conversation = l.conversation ORDER BY r.seq DESC LIMIT 1
        ) m ON true
        ORDER BY l.last_at DESC, l.conversation DESC";

    IDS_OF = "
        SELECT conversation FROM members
        WHERE user_id = $1 AND conversation > coalesce($2::uuid, '00000000-0000-0000-0000-000000000000')
        ORDER BY conversation LIMIT $3";

    MEMBERS = "
        SELECT m.user_id, m.role, u.name, m.joined_at
        FROM members m JOIN users u ON u.id = m.user_id
        WHERE m.conversation = $1 AND (m.joined_at, m.user_id) > (coalesce($2::bigint, -1), coalesce($3::text, ''))
        ORDER BY m.joined_at, m.user_id LIMIT $4";

    MEMBER = "
        SELECT m.user_id, m.role, u.name, m.joined_at
        FROM members m JOIN users u ON u.id = m.user_id
        WHERE m.conversation = $1 AND m.user_id = $2";
}

fn conversation(row: &PgRow) -> Result<Conversation, StoreError> {
    ConversationRow::from_row(row).map_err(classify)?.into_conversation()
}

fn placed_view(row: &PgRow) -> Result<(String, ConversationView), StoreError> {
    let row = ViewRow::from_row(row).map_err(classify)?;
    let last_at = row.last_at;
    let view = row.into_view()?;
    Ok((format!("{last_at}.{}", view.conversation.id), view))
}

fn placed_member(row: &PgRow) -> Result<(String, Member), StoreError> {
    let member = MemberRow::from_row(row).map_err(classify)?.into_member()?;
    Ok((format!("{}.{}", member.joined_at.unix_ms(), member.user_id), member))
}

impl PostgresStore {
    async fn views(
        &self,
        user: &UserId,
        one: Option<ConversationId>,
        after: Option<(i64, Uuid)>,
        limit: i64,
    ) -> Result<Vec<(String, ConversationView)>, StoreError> {
        let (last_at, id) = after.unzip();
        let one = one.map(|id| id.as_uuid());
        let query = sqlx::query(VIEWS).bind(user.as_str()).bind(one).bind(last_at).bind(id).bind(limit);
        self.readers.rows(query).await?.iter().map(placed_view).collect()
    }
}

#[async_trait]
impl ConversationStore for PostgresStore {
    async fn create_conversation(&self, draft: &ConversationDraft) -> Result<ConversationChange, StoreError> {
        let query = sqlx::query(CREATE)
            .bind(draft.id.as_uuid())
            .bind(kind_name(draft.kind))
            .bind(draft.title.as_deref())
            .bind(draft.owner.as_ref().map(UserId::as_str))
            .bind(draft.members.iter().map(UserId::as_str).collect::<Vec<_>>())
            .bind(draft.client_id.as_ref().map(|id| id.as_str()));
        let row = self.writers.row(query).await?.ok_or_else(|| defect("no answer to a creation"))?;
        if let Some(unknown) = row.try_get::<Option<&str>, _>("refused").map_err(classify)? {
            return Err(StoreError::Refused(format!("no such user: {unknown}")));
        }
        let id = ConversationId::from_uuid(row.try_get("made").map_err(classify)?);
        let made = self.writers.row(sqlx::query(CONVERSATION).bind(id.as_uuid())).await?;
        let made = conversation(&made.ok_or_else(|| defect("a conversation that was made is not there"))?)?;
        let created: bool = row.try_get("created").map_err(classify)?;
        Ok(if created { ConversationChange::Created(made) } else { ConversationChange::Existing(made) })
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, StoreError> {
        let row = self.readers.row(sqlx::query(CONVERSATION).bind(id.as_uuid())).await?;
        row.as_ref().map(conversation).transpose()
    }

    async fn conversations_of(&self, user: &UserId, ask: &PageAsk) -> Result<Page<ConversationView>, StoreError> {
        Ok(page(ask, self.views(user, None, uuid_place(ask)?, rows_wanted(ask)).await?))
    }

    async fn conversation_view(
        &self,
        id: ConversationId,
        user: &UserId,
    ) -> Result<Option<ConversationView>, StoreError> {
        Ok(self.views(user, Some(id), None, 1).await?.pop().map(|(_, view)| view))
    }

    async fn conversation_ids_of(
        &self,
        user: &UserId,
        after: Option<ConversationId>,
        limit: u32,
    ) -> Result<Vec<ConversationId>, StoreError> {
        let after = after.map(|id| id.as_uuid());
        let query = sqlx::query(IDS_OF).bind(user.as_str()).bind(after).bind(i64::from(limit.min(500)));
        let rows = self.readers.rows(query).await?;
        rows.iter().map(|row| Ok(ConversationId::from_uuid(row.try_get(0).map_err(classify)?))).collect()
    }

    async fn members(&self, id: ConversationId, ask: &PageAsk) -> Result<Page<Member>, StoreError> {
        let (joined_at, user) = place(ask)?.unzip();
        let query = sqlx::query(MEMBERS).bind(id.as_uuid()).bind(joined_at).bind(user).bind(rows_wanted(ask));
        let rows = self.readers.rows(query).await?;
        Ok(page(ask, rows.iter().map(placed_member).collect::<Result<_, _>>()?))
    }

    async fn member(&self, id: ConversationId, user: &UserId) -> Result<Option<Member>, StoreError> {
        let row = self.readers.row(sqlx::query(MEMBER).bind(id.as_uuid()).bind(user.as_str())).await?;
        row.map(|row| MemberRow::from_row(&row).map_err(classify)?.into_member()).transpose()
    }
}
