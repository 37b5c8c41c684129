//! Feeds and history, as they are read.

use rookery::domain::{ConversationId, Fact, FeedId, MessageId, Seq};
use rookery::store::{Append, AttachPoint, WriteAct};
use uuid::Uuid;

use super::world::{World, append, message, send, texts, user, words, written};

async fn talk(world: &World, sends: usize) -> ConversationId {
    let [ann] = world.users(["ann"]).await;
    let group = world.group(&[&ann]).await;
    let batch: Vec<Append> = (1..=sends).map(|n| send(&ann, group, &n.to_string())).collect();
    world.store.append(&batch).await.unwrap();
    group
}

pub async fn events_page_from_a_cursor(world: World) {
    let feed = FeedId::Conversation(talk(&world, 10).await);
    let page = world.store.events(&feed, Seq(3), 4).await.unwrap();
    assert_eq!((texts(&page.events), page.head), (["4", "5", "6", "7"].map(String::from).to_vec(), Seq(10)));
    for after in [10, 11, u64::MAX] {
        let page = world.page(&feed, after).await;
        assert_eq!((page.events.len(), page.head), (0, Seq(10)));
    }
    let nowhere = FeedId::Conversation(ConversationId::from_uuid(Uuid::now_v7()));
    let page = world.page(&nowhere, 0).await;
    assert_eq!((page.events.len(), page.head), (0, Seq::ZERO));
}

pub async fn events_are_cut_at_about_a_mebibyte_but_never_to_none(world: World) {
    let [ann] = world.users(["ann"]).await;
    let group = world.group(&[&ann]).await;
    let mut sizes = vec![300_000; 6];
    sizes.push(2_000_000);
    for size in sizes {
        world.says(&ann, group, &"x".repeat(size)).await;
    }
    let feed = FeedId::Conversation(group);
    let (mut after, mut pages) = (0, Vec::new());
    while after < 7 {
        let events = world.page(&feed, after).await.events;
        assert_eq!(events[0].seq.0, after + 1);
        after += events.len() as u64;
        pages.push(events.len());
    }
    assert_eq!(pages, [3, 3, 1]);
}

pub async fn live_and_reread_are_the_same(world: World) {
    let [ann, bob] = world.users(["ann", "bob"]).await;
    let group = world.group(&[&ann, &bob]).await;
    let question = words("question");
    let answer = rookery::domain::Draft { reply_to: Some(question.id), mentions: vec![bob.clone()], ..words("answer") };
    let batch = [
        WriteAct::Send(Box::new(question)),
        WriteAct::Send(Box::new(answer)),
        WriteAct::RemoveMember(bob.clone()),
        WriteAct::AddMember(bob, rookery::domain::Role::Admin),
        WriteAct::RemoveMember(ann.clone()),
    ]
    .map(|act| append(Some(&ann), group, act));
    let live: Vec<_> = world.store.append(&batch).await.unwrap().into_iter().flat_map(written).collect();
    assert_eq!(live.len(), 6);
    assert_eq!(world.feed(group).await, live);
    let messages: Vec<_> = live[..2].iter().map(message).collect();
    assert_eq!(world.store.messages_after(group, Seq::ZERO, 10).await.unwrap(), messages);
}

pub async fn history_pages_both_ways(world: World) {
    let group = talk(&world, 10).await;
    let seqs = |messages: Vec<rookery::domain::Message>| messages.iter().map(|m| m.seq.0).collect::<Vec<_>>();
    let before = async |before, limit| seqs(world.store.messages_before(group, before, limit).await.unwrap());
    let after = async |after, limit| seqs(world.store.messages_after(group, after, limit).await.unwrap());
    assert_eq!(before(None, 3).await, [10, 9, 8]);
    assert_eq!(before(Some(Seq(8)), 100).await, [7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(before(Some(Seq(1)), 3).await, [0; 0]);
    assert_eq!(after(Seq(0), 2).await, [1, 2]);
    assert_eq!(after(Seq(8), 100).await, [9, 10]);
    assert_eq!(after(Seq(u64::MAX), 3).await, [0; 0]);
}

pub async fn a_message_is_found_by_its_id(world: World) {
    let feed = { world.feed(talk(&world, 1).await).await };
    let Fact::MessageNew(sent) = &feed[0].fact else { panic!("{feed:?}") };
    assert_eq!(world.store.message(sent.id).await.unwrap().as_ref(), Some(&**sent));
    assert_eq!(world.store.message(MessageId::from_uuid(Uuid::now_v7())).await.unwrap(), None);
}

pub async fn attach_points_are_for_members_and_owners(world: World) {
    let [ann, bob, eve] = world.users(["ann", "bob", "eve"]).await;
    let group = world.group(&[&ann, &bob]).await;
    world.says(&ann, group, "one").await;
    world.says(&ann, group, "two").await;
    let (shared, own) = (FeedId::Conversation(group), FeedId::User(ann.clone()));
    let nowhere = FeedId::Conversation(ConversationId::from_uuid(Uuid::now_v7()));
    let asks = [
        (shared.clone(), bob.clone()),
        (shared.clone(), eve.clone()),
        (own.clone(), ann.clone()),
        (own, bob),
        (nowhere, ann.clone()),
        (shared, ann),
        (FeedId::User(user("nobody")), user("nobody")),
    ];
    let points = world.store.attach_points(&asks).await.unwrap();
    let at = |head| Some(AttachPoint { head: Seq(head) });
    assert_eq!(points, [at(2), None, at(0), None, None, at(2), None]);
    assert_eq!(world.store.attach_points(&[]).await.unwrap(), []);
}

pub async fn heads_leave_out_what_is_unknown(world: World) {
    let group = FeedId::Conversation(talk(&world, 3).await);
    let own = FeedId::User(user("ann"));
    let asks = [
        group.clone(),
        FeedId::User(user("nobody")),
        FeedId::Conversation(ConversationId::from_uuid(Uuid::now_v7())),
        own.clone(),
    ];
    let mut heads = world.store.heads(&asks).await.unwrap();
    heads.sort_unstable();
    assert_eq!(heads, [(group, Seq(3)), (own, Seq::ZERO)]);
}
