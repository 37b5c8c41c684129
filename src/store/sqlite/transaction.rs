//! One write transaction: its number, its time, and the events that it writes.

use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Row, Sqlite, SqlitePool, Transaction};
use uuid::Uuid;

use super::connection::classify;
use crate::store::batch::Failure;
use crate::store::rows::defect;

statements! {
    START = "
        UPDATE counter SET xid = xid + 1
        RETURNING xid, CAST(round(unixepoch('subsec') * 1000) AS INTEGER) AS now";
    MOVE_HEAD = "
        UPDATE feeds SET head = head + 1, last_at = max($2, last_at + 1) WHERE id = $1 RETURNING head, last_at";
    LOG = "
        INSERT INTO events (feed, seq, xid, at, message, about, origin, version, kind, actor, client_id, args)
        VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8, coalesce($9, ''), $10, $11)";
    PUT_OUTBOX = "INSERT INTO outbox (user_id, kind, feed, seq, args, at) VALUES ($1, $2, $3, $4, $5, $6)";
}

/// A write transaction, begun at once as a writer. Dropped without [`Writing::commit`] it is rolled back.
pub(super) struct Writing {
    transaction: Transaction<'static, Sqlite>,
    /// Its number: higher than that of all before it.
    pub(super) xid: i64,
    /// When it began, in milliseconds since 1970.
    pub(super) now: i64,
}

/// An event to be written; its place and time follow from its feed.
#[derive(Default)]
pub(super) struct NewEvent<'a> {
    pub(super) kind: &'static str,
    pub(super) message: Option<Uuid>,
    pub(super) about: Option<Uuid>,
    pub(super) origin: Option<Uuid>,
    pub(super) actor: Option<&'a str>,
    pub(super) client_id: Option<&'a str>,
    pub(super) args: Option<String>,
}

/// What is to follow from an event, worked off later.
pub(super) struct NewTask<'a> {
    pub(super) user: &'a str,
    pub(super) kind: &'static str,
    pub(super) feed: Uuid,
    pub(super) seq: i64,
    pub(super) args: String,
}

impl Writing {
    /// Takes the one writer.
    pub(super) async fn begin(pool: &SqlitePool) -> Result<Self, Failure> {
        let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await.map_err(classify)?;
        let row = sqlx::query(START).fetch_one(&mut *transaction).await.map_err(classify)?;
        let xid = row.try_get("xid").map_err(classify)?;
        let now = row.try_get("now").map_err(classify)?;
        Ok(Self { transaction, xid, now })
    }

    /// Durable when this returns.
    pub(super) async fn commit(self) -> Result<(), Failure> {
        self.transaction.commit().await.map_err(classify)
    }

    pub(super) async fn rows(&mut self, query: Query<'_, Sqlite, SqliteArguments>) -> Result<Vec<SqliteRow>, Failure> {
        query.fetch_all(&mut *self.transaction).await.map_err(classify)
    }

    pub(super) async fn row(
        &mut self,
        query: Query<'_, Sqlite, SqliteArguments>,
    ) -> Result<Option<SqliteRow>, Failure> {
        query.fetch_optional(&mut *self.transaction).await.map_err(classify)
    }

    /// Runs a statement and says how many rows it changed.
    pub(super) async fn change(&mut self, query: Query<'_, Sqlite, SqliteArguments>) -> Result<u64, Failure> {
        Ok(query.execute(&mut *self.transaction).await.map_err(classify)?.rows_affected())
    }

    /// Writes an event at the head of a feed; returns its place and time.
    pub(super) async fn log(&mut self, feed: Uuid, event: NewEvent<'_>) -> Result<(i64, i64), Failure> {
        let row = self.row(sqlx::query(MOVE_HEAD).bind(feed).bind(self.now)).await?;
        let row = row.ok_or_else(|| defect("an event for a feed that is not there"))?;
        let place: i64 = row.try_get("head").map_err(classify)?;
        let at: i64 = row.try_get("last_at").map_err(classify)?;
        let query = sqlx::query(LOG)
            .bind(feed)
            .bind(place)
            .bind(self.xid)
            .bind(at)
            .bind(event.message)
            .bind(event.about)
            .bind(event.origin)
            .bind(event.kind)
            .bind(event.actor)
            .bind(event.client_id)
            .bind(event.args);
        self.change(query).await?;
        Ok((place, at))
    }

    /// Notes what is to follow.
    pub(super) async fn put_task(&mut self, task: NewTask<'_>) -> Result<(), Failure> {
        let query = sqlx::query(PUT_OUTBOX)
            .bind(task.user)
            .bind(task.kind)
            .bind(task.feed)
            .bind(task.seq)
            .bind(task.args)
            .bind(self.now);
        self.change(query).await.map(|_| ())
    }
}
