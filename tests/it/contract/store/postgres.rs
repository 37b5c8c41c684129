//! What only a store of many nodes can be asked: locks held by others, transactions left open, servers that do not answer.

use std::time::Duration;

use rookery::domain::{ConversationId, FeedId, Seq};
use rookery::store::{Append, LogStore, NodeStore, Outcome, PostgresSettings, PostgresStore, StoreError};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::world::{World, send, texts, written};
use crate::support::backends;
use crate::support::deadline::until;

/// Somebody else on the same database, with a transaction that stays open.
struct Stranger(PgConnection);

impl Stranger {
    async fn begin(world: &World, statement: String) -> Self {
        let mut connection = PgConnection::connect(&world.url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("BEGIN; {statement}"))).execute(&mut connection).await.unwrap();
        Self(connection)
    }

    async fn lock(world: &World, conversation: ConversationId) -> Self {
        Self::begin(world, format!("SELECT FROM feeds WHERE id = '{conversation}' FOR UPDATE")).await
    }

    async fn commit(mut self) {
        sqlx::raw_sql("COMMIT").execute(&mut self.0).await.unwrap();
    }
}

async fn impatient(world: &World) -> PostgresStore {
    let settings = PostgresSettings {
        lock_timeout: Duration::from_millis(200),
        statement_timeout: Duration::from_millis(400),
        writers_max: 1,
        readers_max: 1,
        ..PostgresSettings::new(&world.url)
    };
    PostgresStore::connect(&settings).await.unwrap()
}

#[tokio::test]
async fn a_locked_conversation_does_not_hold_up_its_batch() {
    let Some(world) = World::on_postgres().await else { return };
    let [ann] = world.users(["ann"]).await;
    let (locked, free) = (world.group(&[&ann]).await, world.group(&[&ann]).await);
    let stranger = Stranger::lock(&world, locked).await;
    let batch: Vec<Append> = (0..6).map(|n| send(&ann, [locked, free][n % 2], &n.to_string())).collect();
    let outcomes = world.store.append(&batch).await.unwrap();
    for (n, outcome) in outcomes.into_iter().enumerate() {
        match n % 2 {
            0 => assert_eq!(outcome, Outcome::Busy),
            _ => drop(written(outcome)),
        }
    }
    assert_eq!(texts(&world.feed(free).await), ["1", "3", "5"]);
    stranger.commit().await;
    let again = world.store.append(&batch).await.unwrap();
    again.iter().step_by(2).for_each(|outcome| drop(written(outcome.clone())));
    assert!(again.iter().skip(1).step_by(2).all(|outcome| matches!(outcome, Outcome::Duplicate(_))), "{again:?}");
}

#[tokio::test]
async fn a_batch_of_one_conversation_waits_for_its_lock_and_then_is_busy() {
    let Some(world) = World::on_postgres().await else { return };
    let [ann] = world.users(["ann"]).await;
    let group = world.group(&[&ann]).await;
    let stranger = Stranger::lock(&world, group).await;
    let batch = [send(&ann, group, "one"), send(&ann, group, "two")];
    let busy = impatient(&world).await.append(&batch).await.unwrap_err();
    assert!(matches!(busy, StoreError::Busy(_)), "{busy:?}");
    let (outcomes, ()) = tokio::join!(world.store.append(&batch), stranger.commit());
    outcomes.unwrap().into_iter().for_each(|outcome| drop(written(outcome)));
}

#[tokio::test]
async fn what_an_open_transaction_wrote_is_found_after_its_commit() {
    let Some(world) = World::on_postgres().await else { return };
    let [ann] = world.users(["ann"]).await;
    let (slow, quick) = (world.group(&[&ann]).await, world.group(&[&ann]).await);
    let mut since = world.store.changes(None).await.unwrap().next;
    // It has its transaction id before all that follows, and commits after it.
    let update = format!(
        "SELECT append_act_v1(pg_current_xact_id()::text::bigint, '{slow}', 'ann', NULL, 'slow', '{{1,1,1}}', 'update',
            '{{\"title\": \"late\"}}')"
    );
    let stranger = Stranger::begin(&world, update).await;
    for n in 1..=3 {
        world.says(&ann, quick, "quick").await;
        let changes = world.store.changes(Some(since)).await.unwrap();
        assert_eq!(changes.heads, [(FeedId::Conversation(quick), Seq(n))]);
        since = changes.next;
    }
    stranger.commit().await;
    let heads = world.store.changes(Some(since)).await.unwrap().heads;
    assert!(heads.contains(&(FeedId::Conversation(slow), Seq(1))), "{heads:?}");
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_unavailable_and_the_next_one_is_not() {
    let Some(world) = World::on_postgres().await else { return };
    let [ann] = world.users(["ann"]).await;
    let group = world.group(&[&ann]).await;
    let settings = PostgresSettings {
        lock_timeout: Duration::from_secs(60),
        statement_timeout: Duration::from_millis(200),
        ..PostgresSettings::new(&world.url)
    };
    let store = PostgresStore::connect(&settings).await.unwrap();
    let stranger = Stranger::lock(&world, group).await;
    let batch = [send(&ann, group, "late")];
    let error = store.append(&batch).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    stranger.commit().await;
    written(store.append(&batch).await.unwrap().remove(0));
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_no_answer_to_the_next() {
    let Some(world) = World::on_postgres().await else { return };
    let [ann] = world.users(["ann"]).await;
    let (locked, free) = (world.group(&[&ann]).await, world.group(&[&ann]).await);
    let store = impatient(&world).await;
    let stranger = Stranger::lock(&world, locked).await;
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let mut watcher = PgConnection::connect(&world.url).await.unwrap();
    for n in 1..=3 {
        let batch = [send(&ann, locked, "given up")];
        let blocked = async {
            // Once the server is seen waiting for the lock the call is in its middle.
            loop {
                let count: i64 = sqlx::query_scalar(waiting).fetch_one(&mut watcher).await.unwrap();
                if count > 0 {
                    return;
                }
            }
        };
        tokio::select! {
            outcome = store.append(&batch) => panic!("was to wait: {outcome:?}"),
            () = blocked => {}
        }
        let event = written(store.append(&[send(&ann, free, "mine")]).await.unwrap().remove(0));
        assert_eq!(event[0].seq, Seq(n));
    }
    stranger.commit().await;
}

#[tokio::test]
async fn no_address_reaches_an_error() {
    for url in ["postgres://ann:s3cret@127.0.0.1:1/db", "postgres://ann:s3cret@[/db", "mysql://ann:s3cret@127.0.0.1/db"]
    {
        let settings = PostgresSettings { acquire_timeout: Duration::from_millis(300), ..PostgresSettings::new(url) };
        let error = PostgresStore::connect(&settings).await.unwrap_err();
        let shown = format!("{error} {error:?} {settings:?}");
        assert!(!shown.contains("s3cret") && !shown.contains("127.0.0.1"), "{shown}");
    }
}

#[tokio::test]
async fn a_frozen_server_is_unavailable_and_comes_back() {
    let Some(server) = backends::private_postgres().await else { return };
    let settings = PostgresSettings {
        statement_timeout: Duration::from_millis(100),
        acquire_timeout: Duration::from_millis(500),
        ..PostgresSettings::new(server.fresh_database().await)
    };
    let store = PostgresStore::connect(&settings).await.unwrap();
    store.migrate().await.unwrap();
    store.now().await.unwrap();
    server.signal_all("STOP");
    for _ in 0..3 {
        let error = store.now().await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    }
    server.signal_all("CONT");
    until("the server answers again", || async { store.now().await.ok() }).await;
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_killed_server() {
    let Some(mut server) = backends::private_postgres().await else { return };
    let settings = PostgresSettings::new(server.fresh_database().await);
    let world = World::on(&settings).await;
    // A careless operator's default does not count.
    let careless = "ALTER SYSTEM SET synchronous_commit = off";
    let mut operator = PgConnection::connect(&settings.url).await.unwrap();
    sqlx::raw_sql(careless).execute(&mut operator).await.unwrap();
    sqlx::raw_sql("SELECT pg_reload_conf()").execute(&mut operator).await.unwrap();
    let [ann] = world.users(["ann"]).await;
    let group = world.group(&[&ann]).await;
    let store = PostgresStore::connect(&settings).await.unwrap();
    let mut sent = Vec::new();
    for n in 0..20 {
        let write = send(&ann, group, &n.to_string());
        written(store.append(std::slice::from_ref(&write)).await.unwrap().remove(0));
        sent.push(write);
    }
    server.kill().await;
    let error = store.append(&sent[..1]).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    server.start_again().await;
    let again = until("the server answers again", || async { store.append(&sent).await.ok() }).await;
    assert!(again.iter().all(|outcome| matches!(outcome, Outcome::Duplicate(_))), "{again:?}");
}

#[tokio::test]
async fn another_server_is_another_epoch_and_its_transaction_ids_start_anew() {
    let Some(world) = World::on_postgres().await else { return };
    let [ann] = world.users(["ann"]).await;
    let group = world.group(&[&ann]).await;
    world.says(&ann, group, "from before the restore").await;
    let epoch = world.store.epoch().await.unwrap();
    // As a dump brings them to a younger server: its name is another, its transaction ids are far ahead.
    let restore = "UPDATE epoch SET server = 'another'; UPDATE events SET xid = xid + 1000000000";
    Stranger::begin(&world, restore.into()).await.commit().await;
    assert_ne!(world.store.epoch().await.unwrap(), epoch);
    let since = world.store.changes(None).await.unwrap().next;
    assert_eq!(world.store.changes(Some(since)).await.unwrap().heads, []);
    world.says(&ann, group, "after").await;
    assert_eq!(world.store.changes(Some(since)).await.unwrap().heads, [(FeedId::Conversation(group), Seq(2))]);
}
