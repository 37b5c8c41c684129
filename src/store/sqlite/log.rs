//! Feeds and their events.

use async_trait::async_trait;
use serde_json::json;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row};
use uuid::Uuid;

use super::SqliteStore;
use super::connection::classify;
use crate::domain::{ConversationId, Epoch, FeedId, Seq, UserId};
use crate::store::batch::Failure;
use crate::store::rows::{EventRow, defect, seq, stored_seq, user_id};
use crate::store::{Append, AttachPoint, Changes, EventPage, LogStore, Outcome, StoreError, Xid, batch};

statements! {
    MAKE_EPOCH = "
        INSERT INTO epoch (one, id, created_at) VALUES (1, randomblob(16), CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
        ON CONFLICT DO NOTHING";
    EPOCH = "SELECT id FROM epoch";

    /// One snapshot for membership and head. Asks are triples: conversation, owner, user.
    ATTACH_POINTS = "
        SELECT f.head
        FROM json_each($1) a
        LEFT JOIN members m ON m.conversation = unhex(a.value ->> 0) AND m.user_id = a.value ->> 2
        LEFT JOIN feeds f ON f.id = coalesce(m.conversation,
            (SELECT o.id FROM feeds o WHERE o.owner = a.value ->> 1 AND a.value ->> 1 = a.value ->> 2))
        ORDER BY a.key";

    FEED = "SELECT id, head FROM feeds WHERE id = coalesce($1, (SELECT o.id FROM feeds o WHERE o.owner = $2))";

    /// `upto` sums the sizes up to and with this event. The order of the joins is given: the few that are wanted, then each by its key.
    EVENTS = "
        WITH wanted AS (
            SELECT w.seq, sum(200 + coalesce(octet_length(m.content), 0)) OVER (ORDER BY w.seq) AS upto
            FROM (
                SELECT e.seq, e.message FROM events e WHERE e.feed = $1 AND e.seq > $2 ORDER BY e.seq LIMIT $3
            ) w
            LEFT JOIN messages m ON m.id = w.message
        )
        SELECT e.*
        FROM wanted w CROSS JOIN rendered_events e
        WHERE e.event_feed = $1 AND e.event_seq = w.seq AND (w.upto <= 1048576 OR w.seq - 1 = $2)
        ORDER BY w.seq";

    HEADS = "
        SELECT f.id, f.owner, f.head FROM feeds f WHERE f.id IN (SELECT unhex(value) FROM json_each($1))
        UNION ALL
        SELECT f.id, f.owner, f.head FROM feeds f WHERE f.owner IN (SELECT value FROM json_each($2))";

    /// Rows and counter are of one snapshot, and numbers rise in commit order: what is committed later has a higher one. Left to itself
    /// SQLite would read the whole table in the order of its groups.
    CHANGES = "
        SELECT n.xid + 1 AS next, f.id, f.owner, changed.head
        FROM counter n
        LEFT JOIN (SELECT e.feed, max(e.seq) AS head FROM events e INDEXED BY events_by_xid WHERE e.xid >= $1 GROUP BY e.feed) changed ON true
        LEFT JOIN feeds f ON f.id = changed.feed";
    POINT = "SELECT xid + 1 AS next FROM counter";
}

/// The feed of a row with its `id` and, of a personal one, its `owner`.
fn feed(row: &SqliteRow) -> Result<Option<FeedId>, StoreError> {
    let owner: Option<String> = row.try_get("owner").map_err(classify)?;
    let id: Option<Uuid> = row.try_get("id").map_err(classify)?;
    match (owner, id) {
        (Some(owner), _) => Ok(Some(FeedId::User(user_id(&owner)?))),
        (None, id) => Ok(id.map(|id| FeedId::Conversation(ConversationId::from_uuid(id)))),
    }
}

fn head(row: &SqliteRow) -> Result<Option<Seq>, StoreError> {
    row.try_get::<Option<i64>, _>("head").map_err(classify)?.map(seq).transpose()
}

fn feed_head(row: &SqliteRow) -> Result<Option<(FeedId, Seq)>, StoreError> {
    Ok(feed(row)?.zip(head(row)?))
}

/// The two columns in which a feed is named to a statement.
fn columns(feed: &FeedId) -> (Option<Uuid>, Option<&str>) {
    match feed {
        FeedId::Conversation(id) => (Some(id.as_uuid()), None),
        FeedId::User(user) => (None, Some(user.as_str())),
    }
}

/// An id as JSON carries it to `unhex`.
fn hex(id: Uuid) -> String {
    id.simple().to_string()
}

impl SqliteStore {
    async fn read_events(&self, feed: &FeedId, after: Seq, limit: u32) -> Result<EventPage, Failure> {
        let mut snapshot = self.readers.pool().begin().await.map_err(classify)?;
        let (conversation, owner) = columns(feed);
        let found = sqlx::query(FEED).bind(conversation).bind(owner).fetch_optional(&mut *snapshot).await;
        let Some(found) = found.map_err(classify)? else { return Ok(EventPage::default()) };
        let id: Uuid = found.try_get("id").map_err(classify)?;
        let query = sqlx::query(EVENTS).bind(id).bind(stored_seq(after)).bind(i64::from(limit));
        let rows = query.fetch_all(&mut *snapshot).await.map_err(classify)?;
        let mut page = EventPage { events: Vec::with_capacity(rows.len()), head: head(&found)?.unwrap_or_default() };
        for row in &rows {
            page.events.extend(EventRow::from_row(row).map_err(classify)?.into_event(feed.clone())?);
        }
        Ok(page)
    }
}

#[async_trait]
impl LogStore for SqliteStore {
    async fn epoch(&self) -> Result<Epoch, StoreError> {
        let make = async {
            sqlx::query(MAKE_EPOCH).execute(self.writer.pool()).await.map_err(classify)?;
            Ok::<_, Failure>(())
        };
        self.writer.in_time(make).await?;
        let row = self.readers.row(sqlx::query(EPOCH)).await?.ok_or_else(|| defect("no epoch"))?;
        Ok(Epoch::from_uuid(row.try_get(0).map_err(classify)?))
    }

    async fn append(&self, batch: &[Append]) -> Result<Vec<Outcome>, StoreError> {
        batch::write(self, batch).await
    }

    async fn attach_points(&self, asks: &[(FeedId, UserId)]) -> Result<Vec<Option<AttachPoint>>, StoreError> {
        let asks: Vec<_> = asks.iter().map(|(feed, user)| (columns(feed), user)).collect();
        let asks: Vec<_> = asks.iter().map(|((id, owner), user)| json!([id.map(hex), owner, user])).collect();
        let asks = serde_json::to_string(&asks).map_err(defect)?;
        let rows = self.readers.rows(sqlx::query(ATTACH_POINTS).bind(asks)).await?;
        rows.iter().map(|row| Ok(head(row)?.map(|head| AttachPoint { head }))).collect()
    }

    async fn events(&self, feed: &FeedId, after: Seq, limit: u32) -> Result<EventPage, StoreError> {
        Ok(self.readers.in_time(self.read_events(feed, after, limit.min(1_000))).await?)
    }

    async fn heads(&self, feeds: &[FeedId]) -> Result<Vec<(FeedId, Seq)>, StoreError> {
        let (ids, owners): (Vec<_>, Vec<_>) = feeds.iter().map(columns).unzip();
        let ids = serde_json::to_string(&ids.into_iter().flatten().map(hex).collect::<Vec<_>>()).map_err(defect)?;
        let owners = serde_json::to_string(&owners.into_iter().flatten().collect::<Vec<_>>()).map_err(defect)?;
        let rows = self.readers.rows(sqlx::query(HEADS).bind(ids).bind(owners)).await?;
        rows.iter().filter_map(|row| feed_head(row).transpose()).collect()
    }

    async fn changes(&self, since: Option<Xid>) -> Result<Changes, StoreError> {
        let query = match since {
            Some(since) => sqlx::query(CHANGES).bind(i64::try_from(since.0).map_err(defect)?),
            None => sqlx::query(POINT),
        };
        let rows = self.readers.rows(query).await?;
        let next: i64 = rows.first().ok_or_else(|| defect("no counter"))?.try_get("next").map_err(classify)?;
        let heads = match since {
            Some(_) => rows.iter().filter_map(|row| feed_head(row).transpose()).collect::<Result<_, _>>()?,
            None => Vec::new(),
        };
        Ok(Changes { heads, next: Xid(u64::try_from(next).map_err(defect)?) })
    }
}
