//! Who is in the cluster: this node alone; and what time it is.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::Row;
use sqlx::Sqlite;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};

use super::SqliteStore;
use super::connection::classify;
use crate::domain::{NodeId, Timestamp};
use crate::store::rows::defect;
use crate::store::{NodeRow, NodeStore, StoreError};

statements! {
    BEAT = "
        INSERT INTO nodes (id, advertise, version, beat)
        VALUES ($1, $2, $3, CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
        ON CONFLICT (id) DO UPDATE SET advertise = excluded.advertise, version = excluded.version, beat = excluded.beat";
    FORGET = "DELETE FROM nodes WHERE id = $1";
    NODES = "
        SELECT n.id, n.advertise, n.version, max(t.now - n.beat, 0) AS age
        FROM nodes n, (SELECT CAST(round(unixepoch('subsec') * 1000) AS INTEGER) AS now) t
        WHERE n.beat >= t.now - $1 ORDER BY n.id";
    NOW = "SELECT CAST(round(unixepoch('subsec') * 1000) AS INTEGER)";
}

fn node(row: &SqliteRow) -> Result<NodeRow, StoreError> {
    let id: &str = row.try_get("id").map_err(classify)?;
    let age: i64 = row.try_get("age").map_err(classify)?;
    Ok(NodeRow {
        id: NodeId::parse(id).map_err(defect)?,
        advertise: row.try_get("advertise").map_err(classify)?,
        version: row.try_get("version").map_err(classify)?,
        age: Duration::from_millis(u64::try_from(age).map_err(defect)?),
    })
}

impl SqliteStore {
    async fn put_node(&self, query: Query<'_, Sqlite, SqliteArguments>) -> Result<(), StoreError> {
        let put = async { query.execute(self.writer.pool()).await.map_err(classify).map(|_| ()) };
        Ok(self.writer.in_time(put).await?)
    }
}

#[async_trait]
impl NodeStore for SqliteStore {
    async fn beat(&self, id: &NodeId, advertise: &str, version: &str) -> Result<(), StoreError> {
        self.put_node(sqlx::query(BEAT).bind(id.as_str()).bind(advertise).bind(version)).await
    }

    async fn forget(&self, id: &NodeId) -> Result<(), StoreError> {
        self.put_node(sqlx::query(FORGET).bind(id.as_str())).await
    }

    async fn nodes(&self, age_max: Duration) -> Result<Vec<NodeRow>, StoreError> {
        let age_max = i64::try_from(age_max.as_millis()).unwrap_or(i64::MAX / 2);
        self.readers.rows(sqlx::query(NODES).bind(age_max)).await?.iter().map(node).collect()
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        let row = self.readers.row(sqlx::query(NOW)).await?.ok_or_else(|| defect("no clock"))?;
        Ok(Timestamp::from_unix_ms(row.try_get(0).map_err(classify)?))
    }
}
