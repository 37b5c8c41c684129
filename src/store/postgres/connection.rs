//! Connections: how they are made, how long anything on them may take, and what their errors mean.

use std::str::FromStr;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::query::Query;
use sqlx::{ConnectOptions, Executor, PgConnection, PgPool, Postgres};
use tokio::time::timeout;

use super::{PostgresStore, STATEMENTS};
use crate::store::StoreError;
use crate::store::batch::Failure;

/// How to reach Postgres and how patient to be.
#[derive(Clone)]
pub struct PostgresSettings {
    /// `postgres://user:password@host/database`. Never shown, not even in an error.
    pub url: String,
    /// Connections that write; about as many as the log writer has lanes, and two.
    pub writers_max: u32,
    /// Connections that read.
    pub readers_max: u32,
    /// How long to wait for a free or a new connection.
    pub acquire_timeout: Duration,
    /// How long a statement may run before the server ends it.
    pub statement_timeout: Duration,
    /// How long a statement may wait for one lock.
    pub lock_timeout: Duration,
}

impl PostgresSettings {
    /// The settings for this server, with the usual patience.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            writers_max: 8,
            readers_max: 8,
            acquire_timeout: Duration::from_secs(3),
            statement_timeout: Duration::from_secs(5),
            lock_timeout: Duration::from_secs(1),
        }
    }

    /// How long the client waits for an answer: a little longer than the server lets a statement run, so that the server's
    /// verdict, which is certain, comes first.
    fn deadline(&self) -> Duration {
        self.statement_timeout + Duration::from_secs(1)
    }

    /// How to connect, with the session settings that every connection has from its first byte on.
    ///
    /// # Errors
    /// [`StoreError::Refused`]: the address is none.
    pub fn options(&self) -> Result<PgConnectOptions, StoreError> {
        let milliseconds = |duration: Duration| duration.as_millis().to_string();
        let options = PgConnectOptions::from_str(&self.url)
            .map_err(|_| StoreError::Refused("store.url is no valid address of a Postgres server".into()))?
            .application_name("rookery")
            .statement_cache_capacity(256)
            .options([
                ("default_transaction_isolation", "read committed".to_owned()),
                ("statement_timeout", milliseconds(self.statement_timeout)),
                ("lock_timeout", milliseconds(self.lock_timeout)),
                // A node that freezes with locks in its hands must lose them within seconds.
                ("idle_in_transaction_session_timeout", milliseconds(self.statement_timeout)),
                ("tcp_user_timeout", milliseconds(self.deadline())),
                ("client_connection_check_interval", "1000".to_owned()),
                // Every row is found by a key, one after the other. So plans are made once, and neither missing nor old statistics can
                // talk one into reading a whole table, or into taking locks in another order.
                ("plan_cache_mode", "force_generic_plan".to_owned()),
                ("enable_seqscan", "off".to_owned()),
                ("enable_hashjoin", "off".to_owned()),
                ("enable_mergejoin", "off".to_owned()),
                // Compiling pays for statements of seconds; these take microseconds.
                ("jit", "off".to_owned()),
            ])
            .disable_statement_logging();
        Ok(options)
    }
}

impl std::fmt::Debug for PostgresSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresSettings").field("url", &"***").finish_non_exhaustive()
    }
}

impl PostgresStore {
    /// Connects, so that an unreachable server shows at once.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for an address that is none, [`StoreError::Unavailable`] where nobody answers there.
    pub async fn connect(settings: &PostgresSettings) -> Result<Self, StoreError> {
        let store = Self {
            writers: Pool::new(settings, settings.writers_max)?,
            readers: Pool::new(settings, settings.readers_max)?,
            settings: settings.clone(),
        };
        store.readers.acquire().await?.done();
        Ok(store)
    }

    /// Every statement that this store runs, for whoever wants to prepare or to explain them.
    pub fn statements() -> impl Iterator<Item = &'static str> {
        STATEMENTS.iter().copied().flatten().copied()
    }

    /// Closes all connections, after what runs on them.
    pub async fn close(&self) {
        tokio::join!(self.writers.0.close(), self.readers.0.close());
    }
}

/// Connections of one purpose, and how long a statement on them may take.
#[derive(Debug)]
pub(super) struct Pool(PgPool, Duration);

impl Pool {
    fn new(settings: &PostgresSettings, connections_max: u32) -> Result<Self, StoreError> {
        let pool = PgPoolOptions::new()
            .max_connections(connections_max)
            .min_connections(1)
            .acquire_timeout(settings.acquire_timeout)
            // A ping before each statement would double the round trips; a dead connection shows in the statement itself.
            .test_before_acquire(false)
            .after_connect(|connection, _| Box::pin(insist_on_durability(connection)))
            .connect_lazy_with(settings.options()?);
        Ok(Self(pool, settings.deadline()))
    }

    /// Runs one statement to its end or the deadline. All rows, always: the server says that it has committed after the last one, and
    /// what stops at a first row would not hear it.
    pub(super) async fn rows(&self, query: Query<'_, Postgres, PgArguments>) -> Result<Vec<PgRow>, Failure> {
        let mut lease = self.acquire().await?;
        let answer = timeout(self.1, query.fetch_all(lease.connection())).await;
        let rows = answer.map_err(|_| StoreError::Unavailable("no answer before the deadline".into()))?;
        // A database error leaves the connection in order; anything else does not.
        if !matches!(&rows, Err(error) if error.as_database_error().is_none()) {
            lease.done();
        }
        rows.map_err(classify)
    }

    /// Runs one statement that finds at most one row.
    pub(super) async fn row(&self, query: Query<'_, Postgres, PgArguments>) -> Result<Option<PgRow>, Failure> {
        Ok(self.rows(query).await?.into_iter().next())
    }

    /// Borrows a connection.
    pub(super) async fn acquire(&self) -> Result<Lease, StoreError> {
        let connection = self.0.acquire().await.map_err(|error| StoreError::from(classify(error)))?;
        Ok(Lease { connection, in_order: false })
    }
}

/// Writes are acknowledged when they are on disk, whatever the server's default is.
async fn insist_on_durability(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let insist =
        "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";
    connection.execute(insist).await.map(|_| ())
}

/// A borrowed connection. Dropped in the middle of a statement (a deadline, a caller that went away) it is closed: whoever
/// got it next would wait for the answer to somebody else's question.
pub(super) struct Lease {
    connection: PoolConnection<Postgres>,
    in_order: bool,
}

impl Lease {
    pub(super) fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// Gives the connection back in good order.
    pub(super) fn done(mut self) {
        self.in_order = true;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.in_order {
            self.connection.close_on_drop();
        }
    }
}

/// What an error means for the caller. The server's words are kept for defects only: elsewhere they may quote a value.
pub(super) fn classify(error: sqlx::Error) -> Failure {
    let sqlx::Error::Database(database) = &error else { return Failure::Store(classify_other(&error)) };
    let code = database.code().unwrap_or_default().into_owned();
    let what = match database.constraint() {
        Some(constraint) => format!("postgres {code} ({constraint})"),
        None => format!("postgres {code}"),
    };
    match (code.as_str(), code.get(..2).unwrap_or_default()) {
        // Deadlock, serialisation failure, lock not available.
        ("40P01" | "40001" | "55P03", _) => Failure::Store(StoreError::Busy(what)),
        // Ended by a timeout or an operator; a server that is read only (a standby), full, or shutting down.
        ("57014" | "25006", _) | (_, "08" | "28" | "3D" | "53" | "57" | "58" | "XX") => {
            Failure::Store(StoreError::Unavailable(what))
        }
        (_, "22" | "23" | "54") => Failure::Poison(what),
        _ => Failure::Store(StoreError::Defect(format!("{what}: {}", database.message()))),
    }
}

fn classify_other(error: &sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::PoolTimedOut => StoreError::Unavailable("no connection was free in time".into()),
        sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => StoreError::Unavailable("shutting down".into()),
        sqlx::Error::Io(error) => StoreError::Unavailable(format!("connection: {}", error.kind())),
        sqlx::Error::Tls(_) => StoreError::Unavailable("TLS could not be agreed on".into()),
        sqlx::Error::Protocol(_) => StoreError::Unavailable("the server does not keep to the protocol".into()),
        sqlx::Error::ColumnDecode { index, .. } => StoreError::Defect(format!("column {index} cannot be read")),
        sqlx::Error::ColumnNotFound(column) => StoreError::Defect(format!("there is no column {column}")),
        _ => StoreError::Defect("the driver refused the statement".into()),
    }
}
