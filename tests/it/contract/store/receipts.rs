//! Watermarks and what they leave unread.

use rookery::domain::{ConversationId, Role, Seq, UserId, Watermarks};
use rookery::store::{Advance, Advanced, Append, WriteAct};

use super::world::{World, append, send};

const fn at(delivered: u64, read: u64) -> Watermarks {
    Watermarks { delivered_seq: Seq(delivered), read_seq: Seq(read) }
}

async fn advance(world: &World, conversation: ConversationId, user: &UserId, to: Watermarks) -> Option<Advanced> {
    let ask = Advance { conversation, user: user.clone(), to };
    world.store.advance(&[ask]).await.unwrap().remove(0)
}

async fn sends(world: &World, user: &UserId, conversation: ConversationId, count: usize) {
    let batch: Vec<Append> = (0..count).map(|n| send(user, conversation, &n.to_string())).collect();
    for piece in batch.chunks(256) {
        world.store.append(piece).await.unwrap();
    }
}

async fn unread(world: &World, conversation: ConversationId, user: &UserId) -> (u32, Seq) {
    let view = world.store.conversation_view(conversation, user).await.unwrap().unwrap();
    (view.unread_count, view.at_seq)
}

pub async fn watermarks_rise_are_clamped_and_never_fall(world: World) {
    let [ann, bob] = world.users(["ann", "bob"]).await;
    let group = world.group(&[&ann, &bob]).await;
    sends(&world, &ann, group, 10).await;
    for (wish, from, to) in [
        (at(4, 2), at(0, 0), at(4, 2)),
        (at(3, 1), at(4, 2), at(4, 2)),
        (at(0, 0), at(4, 2), at(4, 2)),
        (at(5, 1), at(4, 2), at(5, 2)),
        (at(u64::MAX, 3), at(5, 2), at(10, 3)),
        (at(0, 99), at(10, 3), at(10, 10)),
    ] {
        assert_eq!(advance(&world, group, &bob, wish).await, Some(Advanced { from, to }), "wished for {wish:?}");
    }
    let view = world.store.conversation_view(group, &bob).await.unwrap().unwrap();
    assert_eq!(view.watermarks, at(10, 10));
}

pub async fn reading_implies_delivery(world: World) {
    let [ann, bob] = world.users(["ann", "bob"]).await;
    let group = world.group(&[&ann, &bob]).await;
    sends(&world, &ann, group, 5).await;
    assert_eq!(advance(&world, group, &bob, at(0, 4)).await.unwrap().to, at(4, 4));
}

pub async fn a_send_moves_the_watermarks_of_its_sender(world: World) {
    let [ann, bob] = world.users(["ann", "bob"]).await;
    let group = world.group(&[&ann, &bob]).await;
    sends(&world, &ann, group, 3).await;
    sends(&world, &bob, group, 1).await;
    let watermarks = world.store.watermarks(group, 10).await.unwrap();
    assert!(watermarks.contains(&(ann.clone(), at(3, 3))), "{watermarks:?}");
    assert!(watermarks.contains(&(bob.clone(), at(4, 4))), "{watermarks:?}");
    assert_eq!((unread(&world, group, &ann).await, unread(&world, group, &bob).await), ((1, Seq(4)), (0, Seq(4))));
}

pub async fn strangers_have_no_watermarks(world: World) {
    let [ann, eve] = world.users(["ann", "eve"]).await;
    let (group, other) = (world.group(&[&ann]).await, world.group(&[&ann]).await);
    sends(&world, &ann, group, 2).await;
    let ask = |conversation, user: &UserId| Advance { conversation, user: user.clone(), to: at(1, 1) };
    let answers = world.store.advance(&[ask(group, &eve), ask(group, &ann), ask(other, &ann)]).await.unwrap();
    let stays = |watermarks| Some(Advanced { from: watermarks, to: watermarks });
    assert_eq!(answers, [None, stays(at(2, 2)), stays(at(0, 0))]);
}

pub async fn those_who_moved_last_come_first(world: World) {
    let [ann, bob, eve] = world.users(["ann", "bob", "eve"]).await;
    let group = world.group(&[&eve, &bob, &ann]).await;
    for user in [&ann, &bob] {
        sends(&world, &eve, group, 1).await;
        world.tick().await;
        advance(&world, group, user, at(9, 9)).await;
    }
    let order = async |limit| {
        let watermarks = world.store.watermarks(group, limit).await.unwrap();
        watermarks.into_iter().map(|(user, _)| user).collect::<Vec<_>>()
    };
    assert_eq!(order(10).await[0], bob);
    assert_eq!(order(10).await.len(), 3);
    assert_eq!(order(1).await, [bob]);
}

pub async fn unread_counts_others_messages_since_reading(world: World) {
    let [ann, bob] = world.users(["ann", "bob"]).await;
    let group = world.group(&[&ann, &bob]).await;
    sends(&world, &ann, group, 5).await;
    assert_eq!(unread(&world, group, &bob).await, (5, Seq(5)));
    advance(&world, group, &bob, at(5, 3)).await;
    assert_eq!(unread(&world, group, &bob).await, (2, Seq(5)));
    // What is no message is not unread.
    let [eve] = world.users(["eve"]).await;
    world.written(append(Some(&ann), group, WriteAct::AddMember(eve, Role::Member))).await;
    assert_eq!(unread(&world, group, &bob).await, (2, Seq(6)));
    assert_eq!(unread(&world, group, &ann).await, (0, Seq(6)));
}

pub async fn unread_leaves_out_history_from_before_joining(world: World) {
    let [ann, bob] = world.users(["ann", "bob"]).await;
    let group = world.group(&[&ann]).await;
    sends(&world, &ann, group, 5).await;
    world.written(append(Some(&ann), group, WriteAct::AddMember(bob.clone(), Role::Member))).await;
    assert_eq!(unread(&world, group, &bob).await, (0, Seq(6)));
    sends(&world, &ann, group, 2).await;
    assert_eq!(unread(&world, group, &bob).await, (2, Seq(8)));
}

pub async fn unread_stops_at_a_thousand(world: World) {
    let [ann, bob] = world.users(["ann", "bob"]).await;
    let group = world.group(&[&ann, &bob]).await;
    sends(&world, &ann, group, 1_001).await;
    assert_eq!(unread(&world, group, &bob).await, (1_000, Seq(1_001)));
}
