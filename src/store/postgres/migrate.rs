//! Brings the schema up to date, one node at a time, and says whether it is.

use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{ConnectOptions, Connection, PgConnection, Row};
use tokio::time::{Instant, sleep, timeout};

use super::PostgresStore;
use super::connection::classify;
use crate::store::StoreError;

static MIGRATIONS: Migrator = sqlx::migrate!("src/store/postgres/migrations");

/// How long all nodes together may take over it.
const PATIENCE: Duration = Duration::from_secs(120);
const LOCK_TIMEOUT_MS: &str = "3000";
const RETRY_AFTER: Duration = Duration::from_millis(250);

impl PostgresStore {
    /// Applies the migrations that are missing. Nodes that start together take turns; a migration that waits for a lock gives
    /// way to the traffic and tries again.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when two minutes were not enough; [`StoreError::Refused`] when the database was migrated by something else.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.migrate_once().await {
                Err(StoreError::Busy(what)) if Instant::now() < until => {
                    tracing::info!("the schema is locked by others, trying again: {what}");
                    sleep(RETRY_AFTER).await;
                }
                result => return result,
            }
        }
    }

    async fn migrate_once(&self) -> Result<(), StoreError> {
        // Not from the pools: building an index may take longer than any statement there.
        let options = self.settings.options()?.options([("statement_timeout", "0"), ("lock_timeout", LOCK_TIMEOUT_MS)]);
        let connect = timeout(self.settings.acquire_timeout, options.connect());
        let unreachable = |_| StoreError::Unavailable("no connection in time".into());
        let mut connection = connect.await.map_err(unreachable)?.map_err(|error| StoreError::from(classify(error)))?;
        let result = run(&mut connection).await;
        // The advisory lock that the migrator takes ends with the connection, also after an error.
        connection.close().await.ok();
        result
    }

    /// Whether the schema is as new as this program; a newer one is fine.
    ///
    /// # Errors
    /// [`StoreError::Refused`] says what to run when it is older.
    pub async fn schema_is_current(&self) -> Result<(), StoreError> {
        let older = || StoreError::Refused("the schema is older than this program: run `rookery migrate`".into());
        let there = self.readers.row(sqlx::query(HAS_MIGRATIONS)).await?;
        if !there.is_some_and(|row| row.get::<bool, _>(0)) {
            return Err(older());
        }
        let rows = self.readers.rows(sqlx::query(APPLIED)).await?;
        let applied: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
        if MIGRATIONS.iter().all(|wanted| applied.contains(&wanted.version)) { Ok(()) } else { Err(older()) }
    }
}

const HAS_MIGRATIONS: &str = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
const APPLIED: &str = "SELECT version FROM _sqlx_migrations WHERE success";

async fn run(connection: &mut PgConnection) -> Result<(), StoreError> {
    // An older node that restarts after a newer one has migrated must not stumble over what it does not know.
    let mut migrator = Migrator::with_migrations(MIGRATIONS.iter().cloned().collect());
    migrator.set_ignore_missing(true);
    migrator.run_direct(None, connection, false).await.map_err(|error| match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => classify(error).into(),
        other => StoreError::Refused(format!("migrations: {other}")),
    })
}
