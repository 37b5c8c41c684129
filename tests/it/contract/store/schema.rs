//! The schema: made, checked, kept.

use rookery::domain::Seq;
use rookery::store::{PostgresSettings, PostgresStore, SqliteSettings, SqliteStore, Store, StoreError};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row, SqlSafeStr, SqliteConnection, Statement};

use super::world::{Engine, World};

async fn is_current(world: &World) -> Result<(), StoreError> {
    match &world.engine {
        Engine::Sqlite(store) => store.schema_is_current().await,
        Engine::Postgres(store) => store.schema_is_current().await,
    }
}

async fn run(world: &World, sql: &'static str) {
    match &world.engine {
        Engine::Sqlite(_) => {
            let mut connection = SqliteConnection::connect(&world.url).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        }
        Engine::Postgres(_) => {
            let mut connection = PgConnection::connect(&world.url).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        }
    }
}

pub async fn every_statement_prepares(world: World) {
    let mut count = 0;
    match &world.engine {
        Engine::Sqlite(_) => {
            let mut connection = SqliteConnection::connect(&world.url).await.unwrap();
            for sql in SqliteStore::statements() {
                (&mut connection).prepare(sql.into_sql_str()).await.unwrap_or_else(|error| panic!("{error}: {sql}"));
                count += 1;
            }
        }
        Engine::Postgres(_) => {
            let mut connection = PgConnection::connect(&world.url).await.unwrap();
            for sql in PostgresStore::statements() {
                (&mut connection).prepare(sql.into_sql_str()).await.unwrap_or_else(|error| panic!("{error}: {sql}"));
                count += 1;
            }
        }
    }
    assert!(count > 20, "{count} statements are listed");
}

/// A plan that reads all rows of a table that grows works in every test and fails in every year.
#[tokio::test]
async fn no_statement_on_sqlite_reads_a_whole_table() {
    let world = World::on_sqlite().await;
    let mut connection = SqliteConnection::connect(&world.url).await.unwrap();
    // The outbox is read from its beginning, a few rows; nodes and the counter have a few rows altogether.
    let grows = ["messages", "events", "members", "users", "feeds", "conversations"];
    for sql in SqliteStore::statements() {
        let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        let plan = sqlx::query(explain).fetch_all(&mut connection).await.unwrap();
        for step in plan.iter().map(|row| row.get::<String, _>("detail")) {
            let aliases = ["m", "u", "s", "r", "e", "d", "c", "f", "own"];
            let whole = grows.iter().chain(&aliases).any(|name| {
                step.strip_prefix("SCAN ").is_some_and(|rest| rest == *name || rest.starts_with(&format!("{name} ")))
            });
            assert!(!whole, "{step}: {sql}");
        }
    }
}

/// As the SQLite one, with the settings of a connection of the store.
#[tokio::test]
async fn no_statement_on_postgres_reads_a_whole_table() {
    let Some(world) = World::on_postgres().await else { return };
    let options = PostgresSettings::new(&world.url).options().unwrap();
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    for (n, sql) in PostgresStore::statements().enumerate() {
        let statement = (&mut connection).prepare(sql.into_sql_str()).await.unwrap();
        let count = statement.parameters().unwrap().left().unwrap().len();
        let nulls = vec!["NULL"; count].join(", ");
        let arguments = if count == 0 { String::new() } else { format!("({nulls})") };
        let explain = format!("PREPARE p{n} AS {sql}; EXPLAIN EXECUTE p{n}{arguments}");
        let plan = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_all(&mut connection).await.unwrap();
        let steps: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        for (at, step) in steps.iter().enumerate().filter(|(_, step)| step.contains(" Scan ")) {
            let by_key = steps.get(at + 1).is_some_and(|next| next.contains("Cond:"));
            let small = ["Function Scan", "CTE Scan", "Subquery Scan", "Values Scan", "on nodes"];
            assert!(by_key || small.iter().any(|name| step.contains(name)), "{step}: {sql}");
        }
    }
}

/// Five at once on an empty database, and again on a migrated one.
pub async fn many_may_migrate_at_once(world: World) {
    let fresh = match &world.engine {
        Engine::Sqlite(_) => World::bare_sqlite().await,
        Engine::Postgres(_) => World::bare_postgres().await.unwrap(),
    };
    for _ in 0..2 {
        let all = (0..5).map(|_| fresh.migrate());
        for result in futures_util::future::join_all(all).await {
            result.unwrap();
        }
        is_current(&fresh).await.unwrap();
    }
}

pub async fn an_older_schema_says_what_to_run(world: World) {
    let bare = match &world.engine {
        Engine::Sqlite(_) => World::bare_sqlite().await,
        Engine::Postgres(_) => World::bare_postgres().await.unwrap(),
    };
    run(&world, "DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM _sqlx_migrations)").await;
    for world in [bare, world] {
        match is_current(&world).await {
            Err(StoreError::Refused(text)) => assert!(text.contains("rookery migrate"), "{text}"),
            other => panic!("was to be refused: {other:?}"),
        }
    }
}

pub async fn a_newer_schema_is_fine(world: World) {
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        SELECT 9999, 'from the future', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1";
    run(&world, newer).await;
    is_current(&world).await.unwrap();
    world.migrate().await.unwrap();
}

pub async fn what_was_written_is_there_after_opening_again(world: World) {
    let [ann] = world.users(["ann"]).await;
    let group = world.group(&[&ann]).await;
    let sent = world.says(&ann, group, "kept").await;
    let epoch = world.store.epoch().await.unwrap();
    let again: Box<dyn Store> = match &world.engine {
        Engine::Sqlite(store) => {
            store.close().await;
            Box::new(SqliteStore::open(&SqliteSettings::new(&world.url)).await.unwrap())
        }
        Engine::Postgres(store) => {
            store.close().await;
            Box::new(PostgresStore::connect(&PostgresSettings::new(&world.url)).await.unwrap())
        }
    };
    let closed = world.store.message(sent.id).await.unwrap_err();
    assert!(matches!(closed, StoreError::Unavailable(_)), "{closed:?}");
    assert_eq!(again.messages_after(group, Seq::ZERO, 10).await.unwrap(), [sent]);
    assert_eq!(again.epoch().await.unwrap(), epoch);
}
