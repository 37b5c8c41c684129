//! The poll: nothing that is committed is ever missed.

use std::collections::HashMap;

use rookery::domain::{FeedId, Seq};
use rookery::store::Append;

use super::world::{World, send};
use crate::support::deadline::until;

pub async fn a_first_ask_gives_a_point_and_nothing_else(world: World) {
    let [ann] = world.users(["ann"]).await;
    let group = world.group(&[&ann]).await;
    world.says(&ann, group, "before").await;
    let first = world.store.changes(None).await.unwrap();
    assert!(first.heads.is_empty());
    // A transaction of anybody on the server may keep the point back for a while; then feeds are told again.
    until("it is quiet", || async {
        let quiet = world.store.changes(Some(first.next)).await.unwrap();
        assert!(quiet.next >= first.next);
        world.store.changes(Some(quiet.next)).await.unwrap().heads.is_empty().then_some(())
    })
    .await;
}

pub async fn changed_feeds_are_told_with_their_highest_seq(world: World) {
    let [ann, bob] = world.users(["ann", "bob"]).await;
    let (one, two) = (world.group(&[&ann]).await, world.group(&[&ann]).await);
    let since = world.store.changes(None).await.unwrap().next;
    let batch: Vec<Append> = (0..5).map(|n| send(&ann, [one, two][n % 2], "x")).collect();
    world.store.append(&batch).await.unwrap();
    let changes = world.store.changes(Some(since)).await.unwrap();
    let mut heads = changes.heads;
    heads.sort_unstable();
    let mut expected = vec![(FeedId::Conversation(one), Seq(3)), (FeedId::Conversation(two), Seq(2))];
    expected.sort_unstable();
    assert_eq!(heads, expected);
    // Personal feeds are feeds.
    world.group(&[&bob]).await;
    while !world.store.work_outbox(10).await.unwrap().is_empty() {}
    let mut heads = world.store.changes(Some(changes.next)).await.unwrap().heads;
    heads.retain(|(feed, _)| matches!(feed, FeedId::User(_)));
    heads.sort_unstable();
    assert_eq!(heads, [(FeedId::User(ann), Seq(2)), (FeedId::User(bob), Seq(1))]);
}

/// Writers commit while a reader polls; the reader, which takes each answer only from where the last one ended, must in the end
/// know every head.
pub async fn nothing_that_is_committed_is_missed_while_many_write(world: World) {
    let users = world.users(["u0", "u1", "u2"]).await;
    let mut groups = Vec::new();
    for _ in 0..12 {
        groups.push(world.group(&[&users[0], &users[1], &users[2]]).await);
    }
    let neighbour = world.neighbour().await;
    let write = async |store: &dyn rookery::store::Store, writer: usize| {
        for round in 0..30 {
            // One conversation a batch: such batches wait for a lock instead of answering busy.
            let group = groups[(round * 5 + writer * 7) % groups.len()];
            let batch: Vec<Append> = (0..3).map(|_| send(&users[writer], group, "x")).collect();
            store.append(&batch).await.unwrap();
        }
    };
    let stop = tokio_util::sync::CancellationToken::new();
    let poll = async {
        let mut known = HashMap::new();
        let mut since = world.store.changes(None).await.unwrap().next;
        loop {
            let last = stop.is_cancelled();
            let changes = world.store.changes(Some(since)).await.unwrap();
            assert!(changes.next >= since);
            since = changes.next;
            known.extend(changes.heads);
            if last {
                return known;
            }
        }
    };
    let writers = async {
        tokio::join!(write(&*world.store, 0), write(&*neighbour, 1), write(&*neighbour, 2));
        stop.cancel();
    };
    let (known, ()) = tokio::join!(poll, writers);
    let feeds: Vec<FeedId> = groups.into_iter().map(FeedId::Conversation).collect();
    let truth = world.store.heads(&feeds).await.unwrap();
    assert_eq!(truth.iter().map(|(_, head)| head.0).sum::<u64>(), 270);
    for (feed, head) in truth {
        let known = known.get(&feed).copied().unwrap_or_default();
        assert_eq!(known, head, "{feed:?}");
    }
}
