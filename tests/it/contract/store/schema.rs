//! The schema: made, checked, kept.

use rookery::domain::Seq;
use rookery::store::{PostgresSettings, PostgresStore, SqliteSettings, SqliteStore, Store, StoreError};

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
            let mut connection = <sqlx::SqliteConnection as sqlx::Connection>::connect(&world.url).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        }
        Engine::Postgres(_) => {
            let mut connection = <sqlx::PgConnection as sqlx::Connection>::connect(&world.url).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        }
    }
}

pub async fn every_statement_prepares(world: World) {
    let prepared = match &world.engine {
        Engine::Sqlite(store) => store.prepare_all().await.unwrap(),
        Engine::Postgres(store) => store.prepare_all().await.unwrap(),
    };
    assert!(prepared > 20, "{prepared} statements are listed");
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
