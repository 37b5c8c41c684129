//! Feeds and their events.

use async_trait::async_trait;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};
use uuid::Uuid;

use super::PostgresStore;
use super::connection::classify;
use crate::domain::{ConversationId, Epoch, FeedId, Seq, UserId};
use crate::store::rows::{EventRow, defect, seq, stored_seq, user_id};
use crate::store::{Append, AttachPoint, Changes, EventPage, LogStore, Outcome, StoreError, Xid, batch};

statements! {
    EPOCH = "SELECT epoch_v1()";

    /// One snapshot for membership and head.
    ATTACH_POINTS = "
        SELECT f.head
        FROM unnest($1::uuid[], $2::text[], $3::text[]) WITH ORDINALITY AS a (conversation, owner, user_id, place)
        LEFT JOIN members m ON m.conversation = a.conversation AND m.user_id = a.user_id
        LEFT JOIN feeds f ON f.id = coalesce(m.conversation, (SELECT o.id FROM feeds o WHERE o.owner = a.owner AND a.owner = a.user_id))
        ORDER BY a.place";

    /// `upto` sums the sizes up to and with this event; a size is known without reading the text.
    EVENTS = "
        WITH feed AS (SELECT id, head FROM feeds WHERE id = coalesce($1, (SELECT o.id FROM feeds o WHERE o.owner = $2))),
        wanted AS (
            SELECT e.feed, e.seq, sum(200 + coalesce(octet_length(m.content), 0)) OVER (ORDER BY e.seq) AS upto
            FROM feed f
            CROSS JOIN LATERAL (SELECT * FROM events e WHERE e.feed = f.id AND e.seq > $3 ORDER BY e.seq LIMIT $4) e
            LEFT JOIN messages m ON m.id = e.message
        )
        SELECT f.head, e.*
        FROM feed f
        LEFT JOIN wanted w ON w.upto <= 1048576 OR w.seq - 1 = $3
        LEFT JOIN rendered_events_v1 e ON e.event_feed = w.feed AND e.event_seq = w.seq
        ORDER BY w.seq";

    HEADS = "
        SELECT f.id, f.owner, f.head FROM feeds f WHERE f.id = ANY ($1)
        UNION ALL
        SELECT f.id, f.owner, f.head FROM feeds f WHERE f.owner = ANY ($2)";

    /// Rows and snapshot belong together. A transaction that this snapshot does not show has an id of at least its xmin, so the
    /// next ask, which starts there, will find it.
    CHANGES = "
        WITH changed AS (
            SELECT e.feed, max(e.seq) AS head FROM events e WHERE e.xid >= $1 GROUP BY e.feed
        )
        SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS next, f.id, f.owner, c.head
        FROM (VALUES (1)) one (one)
        LEFT JOIN changed c ON true
        LEFT JOIN feeds f ON f.id = c.feed";

    POINT = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS next";
}

/// The feed of a row with its `id` and, of a personal one, its `owner`.
fn feed(row: &PgRow) -> Result<Option<FeedId>, StoreError> {
    let owner: Option<String> = row.try_get("owner").map_err(classify)?;
    let id: Option<Uuid> = row.try_get("id").map_err(classify)?;
    match (owner, id) {
        (Some(owner), _) => Ok(Some(FeedId::User(user_id(&owner)?))),
        (None, id) => Ok(id.map(|id| FeedId::Conversation(ConversationId::from_uuid(id)))),
    }
}

fn head(row: &PgRow) -> Result<Option<Seq>, StoreError> {
    row.try_get::<Option<i64>, _>("head").map_err(classify)?.map(seq).transpose()
}

/// The two columns in which a feed is named to a statement.
fn columns(feed: &FeedId) -> (Option<Uuid>, Option<&str>) {
    match feed {
        FeedId::Conversation(id) => (Some(id.as_uuid()), None),
        FeedId::User(user) => (None, Some(user.as_str())),
    }
}

#[async_trait]
impl LogStore for PostgresStore {
    async fn epoch(&self) -> Result<Epoch, StoreError> {
        let row = self.writers.row(sqlx::query(EPOCH)).await?.ok_or_else(|| defect("no epoch"))?;
        Ok(Epoch::from_uuid(row.try_get(0).map_err(classify)?))
    }

    async fn append(&self, batch: &[Append]) -> Result<Vec<Outcome>, StoreError> {
        batch::write(self, batch).await
    }

    async fn attach_points(&self, asks: &[(FeedId, UserId)]) -> Result<Vec<Option<AttachPoint>>, StoreError> {
        let (conversations, owners): (Vec<_>, Vec<_>) = asks.iter().map(|(feed, _)| columns(feed)).unzip();
        let users: Vec<&str> = asks.iter().map(|(_, user)| user.as_str()).collect();
        let query = sqlx::query(ATTACH_POINTS).bind(conversations).bind(owners).bind(users);
        let rows = self.readers.rows(query).await?;
        rows.iter().map(|row| Ok(head(row)?.map(|head| AttachPoint { head }))).collect()
    }

    async fn events(&self, feed: &FeedId, after: Seq, limit: u32) -> Result<EventPage, StoreError> {
        let (conversation, owner) = columns(feed);
        let query = sqlx::query(EVENTS)
            .bind(conversation)
            .bind(owner)
            .bind(stored_seq(after))
            .bind(i64::from(limit.min(1_000)));
        let rows = self.readers.rows(query).await?;
        let mut page = EventPage::default();
        for row in &rows {
            page.head = head(row)?.unwrap_or_default();
            page.events.extend(EventRow::from_row(row).map_err(classify)?.into_event(feed.clone())?);
        }
        Ok(page)
    }

    async fn heads(&self, feeds: &[FeedId]) -> Result<Vec<(FeedId, Seq)>, StoreError> {
        let (conversations, owners): (Vec<_>, Vec<_>) = feeds.iter().map(columns).unzip();
        let rows = self.readers.rows(sqlx::query(HEADS).bind(conversations).bind(owners)).await?;
        rows.iter().filter_map(|row| feed_head(row).transpose()).collect()
    }

    async fn changes(&self, since: Option<Xid>) -> Result<Changes, StoreError> {
        let query = match since {
            Some(since) => sqlx::query(CHANGES).bind(i64::try_from(since.0).map_err(defect)?),
            None => sqlx::query(POINT),
        };
        let rows = self.readers.rows(query).await?;
        let next: i64 = rows.first().ok_or_else(|| defect("no snapshot"))?.try_get("next").map_err(classify)?;
        let heads = match since {
            Some(_) => rows.iter().filter_map(|row| feed_head(row).transpose()).collect::<Result<_, _>>()?,
            None => Vec::new(),
        };
        Ok(Changes { heads, next: Xid(u64::try_from(next).map_err(defect)?) })
    }
}

fn feed_head(row: &PgRow) -> Result<Option<(FeedId, Seq)>, StoreError> {
    Ok(feed(row)?.zip(head(row)?))
}
