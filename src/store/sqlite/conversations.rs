//! Conversations and members.

use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row};
use uuid::Uuid;

use super::connection::classify;
use super::transaction::{NewTask, Writing};
use super::{SqliteStore, membership};
use crate::domain::{
    Act, ClientId, Conversation, ConversationChange, ConversationDraft, ConversationId, ConversationKind,
    ConversationView, Member, Permission, Role, UserId,
};
use crate::store::batch::Failure;
use crate::store::page::{page, place, rows_wanted, uuid_place};
use crate::store::rows::{ConversationRow, MemberRow, ViewRow, defect, kind_name, rank};
use crate::store::{Append, ConversationStore, Page, PageAsk, StoreError, WriteAct};

statements! {
    FIND = "
        SELECT id FROM conversations WHERE id = $1
        UNION ALL SELECT id FROM conversations WHERE pair = $2
        UNION ALL SELECT id FROM conversations WHERE created_by = $3 AND client_id = $4
        LIMIT 1";
    IS_USER = "SELECT 1 FROM users WHERE id = $1";
    MAKE = "
        INSERT INTO conversations (id, kind, title, created_at, created_by, client_id, pair)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    MAKE_FEED = "INSERT INTO feeds (id, kind, last_at) VALUES ($1, 'conversation', $2)";
    MAKE_MEMBER = "
        INSERT INTO members (conversation, user_id, role, joined_at, joined_seq, delivered_seq, read_seq, moved_at)
        VALUES ($1, $2, $3, $4, 0, 0, 0, $4)";

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
                AND m.conversation BETWEEN coalesce($2, x'') AND coalesce($2, x'ffffffffffffffffffffffffffffffffff')
                AND ($3 IS NULL OR (f.last_at, f.id) < ($3, $4))
            ORDER BY f.last_at DESC, f.id DESC LIMIT $5
        )
        SELECT l.last_at, l.role, l.muted_until, l.archived, l.delivered_seq, l.read_seq,
            (SELECT count(*) FROM (
                SELECT 1 FROM messages u
                WHERE u.conversation = l.conversation AND u.seq > max(l.read_seq, l.joined_seq)
                    AND u.sender <> $1 AND u.deleted_at IS NULL
                LIMIT 1000)) AS unread,
            c.id AS about_id, c.kind AS about_kind, c.title AS about_title, c.avatar AS about_avatar,
            c.retention_days AS about_retention_days, c.created_at AS about_created_at, l.head AS about_head,
            m.id, m.conversation, m.seq, m.sender, m.client_id, m.kind, m.content, m.content_json, m.mentions, m.reply_to,
            m.created_at, m.edited_at, m.deleted_at, m.pinned_at, m.sender_name, m.sender_username, m.sender_avatar,
            m.reply_sender, m.reply_excerpt
        FROM listed l
        JOIN conversations c ON c.id = l.conversation
        LEFT JOIN rendered_messages m ON m.conversation = l.conversation
            AND m.seq = (SELECT max(n.seq) FROM messages n WHERE n.conversation = l.conversation)
        ORDER BY l.last_at DESC, l.conversation DESC";

    IDS_OF = "
        SELECT conversation FROM members
        WHERE user_id = $1 AND conversation > coalesce($2, x'')
        ORDER BY conversation LIMIT $3";

    MEMBERS = "
        SELECT m.user_id, m.role, u.name, m.joined_at
        FROM members m JOIN users u ON u.id = m.user_id
        WHERE m.conversation = $1 AND (m.joined_at, m.user_id) > (coalesce($2, -1), coalesce($3, ''))
        ORDER BY m.joined_at, m.user_id LIMIT $4";

    MEMBER = "
        SELECT m.user_id, m.role, u.name, m.joined_at
        FROM members m JOIN users u ON u.id = m.user_id
        WHERE m.conversation = $1 AND m.user_id = $2";
}

fn conversation(row: &SqliteRow) -> Result<Conversation, StoreError> {
    ConversationRow::from_row(row).map_err(classify)?.into_conversation()
}

fn placed_view(row: &SqliteRow) -> Result<(String, ConversationView), StoreError> {
    let row = ViewRow::from_row(row).map_err(classify)?;
    let last_at = row.last_at;
    let view = row.into_view()?;
    Ok((format!("{last_at}.{}", view.conversation.id), view))
}

fn placed_member(row: &SqliteRow) -> Result<(String, Member), StoreError> {
    let member = MemberRow::from_row(row).map_err(classify)?.into_member()?;
    Ok((format!("{}.{}", member.joined_at.unix_ms(), member.user_id), member))
}

/// Everybody in a draft, the owner first.
fn everybody(draft: &ConversationDraft) -> Vec<&UserId> {
    draft.owner.iter().chain(&draft.members).collect()
}

/// What makes a direct unique.
fn pair(draft: &ConversationDraft) -> Option<String> {
    let mut both: Vec<&str> = everybody(draft).into_iter().map(UserId::as_str).collect();
    both.sort_unstable();
    (draft.kind == ConversationKind::Direct).then(|| both.join(" "))
}

async fn make(writing: &mut Writing, draft: &ConversationDraft, pair: Option<String>) -> Result<(), Failure> {
    let (id, now) = (draft.id.as_uuid(), writing.now);
    let owner = draft.owner.as_ref().map(UserId::as_str);
    let make = sqlx::query(MAKE)
        .bind(id)
        .bind(kind_name(draft.kind))
        .bind(draft.title.as_deref())
        .bind(now)
        .bind(owner)
        .bind(draft.client_id.as_ref().filter(|_| owner.is_some()).map(|id| id.as_str()))
        .bind(pair);
    writing.change(make).await?;
    writing.change(sqlx::query(MAKE_FEED).bind(id).bind(now)).await?;
    for user in everybody(draft) {
        let owns = draft.owner.as_ref() == Some(user) && draft.kind != ConversationKind::Direct;
        let role = if owns { Role::Owner } else { Role::Member };
        let user = user.as_str();
        writing.change(sqlx::query(MAKE_MEMBER).bind(id).bind(user).bind(rank(role)).bind(now)).await?;
        let args = r#"{"fromSeq":0}"#.to_owned();
        writing.put_task(NewTask { user, kind: "conversation.added", feed: id, seq: 0, args }).await?;
    }
    Ok(())
}

/// Brings back whoever left a direct: it is the only one that the two can have.
async fn complete_direct(writing: &mut Writing, id: ConversationId, draft: &ConversationDraft) -> Result<(), Failure> {
    for (user, place) in everybody(draft).into_iter().zip(1_u8..) {
        let back = Append {
            conversation: id,
            actor: None,
            origin: None,
            client_id: ClientId::parse(&format!("{}:{place}", draft.id)).map_err(defect)?,
            permission: Permission::of(Act::Leave),
            act: WriteAct::AddMember(user.clone(), Role::Member),
        };
        membership::add(writing, &back, user, Role::Member).await?;
    }
    Ok(())
}

impl SqliteStore {
    async fn find_or_make(&self, draft: &ConversationDraft) -> Result<ConversationChange, Failure> {
        let mut writing = Writing::begin(self.writer.pool()).await?;
        let pair = pair(draft);
        let find = sqlx::query(FIND)
            .bind(draft.id.as_uuid())
            .bind(pair.as_deref())
            .bind(draft.owner.as_ref().map(UserId::as_str))
            .bind(draft.client_id.as_ref().map(|id| id.as_str()));
        let found: Option<Uuid> = match writing.row(find).await? {
            Some(row) => Some(row.try_get(0).map_err(classify)?),
            None => None,
        };
        if found.is_none() {
            for user in everybody(draft) {
                if writing.row(sqlx::query(IS_USER).bind(user.as_str())).await?.is_none() {
                    return Err(StoreError::Refused(format!("no such user: {user}")).into());
                }
            }
            make(&mut writing, draft, pair).await?;
        }
        let id = found.unwrap_or_else(|| draft.id.as_uuid());
        if found.is_some() && draft.kind == ConversationKind::Direct {
            complete_direct(&mut writing, ConversationId::from_uuid(id), draft).await?;
        }
        let row = writing.row(sqlx::query(CONVERSATION).bind(id)).await?;
        let row = row.ok_or_else(|| defect("a conversation that was made is not there"))?;
        let made = conversation(&row)?;
        writing.commit().await?;
        Ok(if found.is_some() { ConversationChange::Existing(made) } else { ConversationChange::Created(made) })
    }

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
impl ConversationStore for SqliteStore {
    async fn create_conversation(&self, draft: &ConversationDraft) -> Result<ConversationChange, StoreError> {
        Ok(self.writer.in_time(self.find_or_make(draft)).await?)
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
