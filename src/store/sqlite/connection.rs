//! The file: how it is opened, how long anything may take, and what its errors mean.

use std::future::Future;
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::query::Query;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Row, Sqlite, SqlitePool};
use tokio::time::timeout;

use super::{STATEMENTS, SqliteStore};
use crate::store::StoreError;
use crate::store::batch::Failure;

static MIGRATIONS: Migrator = sqlx::migrate!("src/store/sqlite/migrations");

const READERS_MAX: u32 = 4;

/// Which file, and how patient to be.
#[derive(Debug, Clone)]
pub struct SqliteSettings {
    /// `sqlite://path`; the folder is made where it is missing. A store in memory is none.
    pub url: String,
    /// How long a call may take, waiting for its turn included.
    pub deadline: Duration,
}

impl SqliteSettings {
    /// The settings for this file, with the usual patience.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), deadline: Duration::from_secs(5) }
    }

    fn options(&self) -> Result<SqliteConnectOptions, StoreError> {
        let not_a_file = || StoreError::Refused("store.url is no path of an SQLite file".into());
        if self.url.contains(":memory:") || self.url.contains("mode=memory") {
            return Err(not_a_file());
        }
        let options = SqliteConnectOptions::from_str(&self.url).map_err(|_| not_a_file())?;
        Ok(options
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // NORMAL may lose what was acknowledged when the power fails.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(self.deadline)
            .disable_statement_logging())
    }
}

impl SqliteStore {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for an address that is none, [`StoreError::Unavailable`] where the file cannot be opened.
    pub async fn open(settings: &SqliteSettings) -> Result<Self, StoreError> {
        let options = settings.options()?;
        let folder = options.get_filename().parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder {
            let failed = |error: std::io::Error| StoreError::Unavailable(format!("store folder: {}", error.kind()));
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let pool = |max| {
            let pool = SqlitePoolOptions::new().max_connections(max).acquire_timeout(settings.deadline);
            pool.min_connections(1).idle_timeout(None).max_lifetime(None).test_before_acquire(false)
        };
        let unavailable = |error| StoreError::from(classify(error));
        // The writer first: it makes the file and turns WAL on, which readers cannot.
        let writer = pool(1).connect_with(options.clone()).await.map_err(unavailable)?;
        let readers = pool(READERS_MAX).connect_with(options.read_only(true)).await.map_err(unavailable)?;
        Ok(Self { writer: Writer(writer, settings.deadline), readers: Readers(readers, settings.deadline) })
    }

    /// Applies the migrations that are missing.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the file was migrated by something else.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let mut migrator = Migrator::with_migrations(MIGRATIONS.iter().cloned().collect());
        migrator.set_ignore_missing(true);
        migrator.run(&self.writer.0).await.map_err(|error| match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => classify(error).into(),
            other => StoreError::Refused(format!("migrations: {other}")),
        })
    }

    /// Whether the schema is as new as this program; a newer one is fine.
    ///
    /// # Errors
    /// [`StoreError::Refused`] says what to run when it is older.
    pub async fn schema_is_current(&self) -> Result<(), StoreError> {
        let older = || StoreError::Refused("the schema is older than this program: run `rookery migrate`".into());
        if self.readers.rows(sqlx::query(HAS_MIGRATIONS)).await?.is_empty() {
            return Err(older());
        }
        let rows = self.readers.rows(sqlx::query(APPLIED)).await?;
        let applied: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
        if MIGRATIONS.iter().all(|wanted| applied.contains(&wanted.version)) { Ok(()) } else { Err(older()) }
    }

    /// Every statement that this store runs, for whoever wants to prepare or to explain them.
    pub fn statements() -> impl Iterator<Item = &'static str> {
        STATEMENTS.iter().copied().flatten().copied()
    }

    /// Closes the file, after what runs.
    pub async fn close(&self) {
        self.readers.0.close().await;
        // Last, so that it can fold the write-ahead log into the file.
        self.writer.0.close().await;
    }
}

const HAS_MIGRATIONS: &str = "SELECT name FROM sqlite_schema WHERE name = '_sqlx_migrations'";
const APPLIED: &str = "SELECT version FROM _sqlx_migrations WHERE success";

/// The one connection that writes, and how long a write may take.
#[derive(Debug)]
pub(super) struct Writer(SqlitePool, Duration);

impl Writer {
    /// Its connection.
    pub(super) const fn pool(&self) -> &SqlitePool {
        &self.0
    }

    /// Lets a write run to its end or the deadline; a transaction that is cut off is rolled back.
    pub(super) async fn in_time<T, E: From<StoreError>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let late = |_| StoreError::Unavailable("not done before the deadline".into());
        timeout(self.1, work).await.map_err(late)?
    }
}

/// Connections that only read.
#[derive(Debug)]
pub(super) struct Readers(SqlitePool, Duration);

impl Readers {
    /// Its connections.
    pub(super) const fn pool(&self) -> &SqlitePool {
        &self.0
    }

    /// Lets a read of several statements run to its end or the deadline.
    pub(super) async fn in_time<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let late = |_| StoreError::Unavailable("no answer before the deadline".into());
        timeout(self.1, work).await.map_err(late)?
    }

    /// Runs one statement to its end or the deadline.
    pub(super) async fn rows(&self, query: Query<'_, Sqlite, SqliteArguments>) -> Result<Vec<SqliteRow>, Failure> {
        self.in_time(async { query.fetch_all(&self.0).await.map_err(classify) }).await
    }

    /// Runs one statement that finds at most one row.
    pub(super) async fn row(&self, query: Query<'_, Sqlite, SqliteArguments>) -> Result<Option<SqliteRow>, Failure> {
        Ok(self.rows(query).await?.into_iter().next())
    }
}

/// What an error means for the caller. SQLite's words are kept for defects only: elsewhere they may name the file.
pub(super) fn classify(error: sqlx::Error) -> Failure {
    let sqlx::Error::Database(database) = &error else { return Failure::Store(classify_other(&error)) };
    let code: u32 = database.code().and_then(|code| code.parse().ok()).unwrap_or_default();
    let what = format!("sqlite {code}");
    // The low byte is the family of the error.
    match code & 0xff {
        // BUSY, LOCKED.
        5 | 6 => Failure::Store(StoreError::Busy(what)),
        // TOOBIG, CONSTRAINT, MISMATCH.
        18..=20 => Failure::Poison(what),
        // PERM, ABORT, NOMEM, READONLY, INTERRUPT, IOERR, CORRUPT, FULL, CANTOPEN, NOTADB.
        3 | 4 | 7..=11 | 13 | 14 | 26 => Failure::Store(StoreError::Unavailable(what)),
        _ => Failure::Store(StoreError::Defect(format!("{what}: {}", database.message()))),
    }
}

fn classify_other(error: &sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::PoolTimedOut => StoreError::Unavailable("no connection was free in time".into()),
        sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => StoreError::Unavailable("shutting down".into()),
        sqlx::Error::Io(error) => StoreError::Unavailable(format!("file: {}", error.kind())),
        sqlx::Error::ColumnDecode { index, .. } => StoreError::Defect(format!("column {index} cannot be read")),
        sqlx::Error::ColumnNotFound(column) => StoreError::Defect(format!("there is no column {column}")),
        _ => StoreError::Defect("the driver refused the statement".into()),
    }
}
