//! Personal feeds: what is told to whom, once and in order.

use rookery::domain::{Event, Fact, FeedId, Role, Seq, UserId};
use rookery::store::WriteAct;

use super::world::{World, append, assert_without_holes};

async fn personal(world: &World, user: &UserId) -> Vec<Event> {
    world.page(&FeedId::User(user.clone()), 0).await.events
}

async fn work_all(world: &World) -> Vec<Event> {
    let mut all = Vec::new();
    loop {
        let events = world.store.work_outbox(2).await.unwrap();
        if events.is_empty() {
            return all;
        }
        assert!(events.len() <= 2);
        all.extend(events);
    }
}

pub async fn everybody_in_a_new_conversation_is_told_once(world: World) {
    let [ann, bob] = world.users(["ann", "bob"]).await;
    let group = world.group(&[&ann, &bob]).await;
    let worked = work_all(&world).await;
    assert_eq!(worked.len(), 2);
    for user in [&ann, &bob] {
        let events = personal(&world, user).await;
        assert_eq!(events.len(), 1);
        assert!(worked.contains(&events[0]), "what was worked is what is read");
        let Fact::ConversationAdded { conversation, from_seq } = &events[0].fact else { panic!("{events:?}") };
        assert_eq!((conversation.id, *from_seq), (group, Seq::ZERO));
        assert_eq!(conversation.title.as_deref(), Some("first title"));
    }
}

pub async fn adding_and_removing_are_told_in_order(world: World) {
    let [ann, bob] = world.users(["ann", "bob"]).await;
    let group = world.group(&[&ann]).await;
    world.says(&ann, group, "history").await;
    for _ in 0..3 {
        world.written(append(Some(&ann), group, WriteAct::AddMember(bob.clone(), Role::Member))).await;
        world.written(append(Some(&ann), group, WriteAct::RemoveMember(bob.clone()))).await;
    }
    work_all(&world).await;
    let events = personal(&world, &bob).await;
    assert_without_holes(&events);
    let kinds: Vec<&str> = events.iter().map(|event| event.fact.kind()).collect();
    assert_eq!(kinds, ["conversation.added", "conversation.removed"].repeat(3));
    let Fact::ConversationAdded { from_seq, .. } = &events[0].fact else { panic!("{events:?}") };
    assert_eq!(*from_seq, Seq(1), "from here on nothing since joining is missed");
    assert_eq!(events[1].fact, Fact::ConversationRemoved { conversation: group });
}

pub async fn concurrent_workers_tell_each_news_exactly_once(world: World) {
    let users = world.users(["u0", "u1", "u2", "u3", "u4", "u5"]).await;
    for n in 0..20 {
        world.group(&[&users[n % 6], &users[(n + 1) % 6], &users[(n + 2) % 6]]).await;
    }
    let neighbour = world.neighbour().await;
    let work = async |store: &dyn rookery::store::Store| {
        let mut events = Vec::new();
        // The other worker may hold everybody who waits: asking again is what a node does.
        for _ in 0..200 {
            events.extend(store.work_outbox(5).await.unwrap());
        }
        events
    };
    let (here, there) = tokio::join!(work(&*world.store), work(&*neighbour));
    assert_eq!(here.len() + there.len(), 60);
    let mut told = 0;
    for user in &users {
        let events = personal(&world, user).await;
        assert_without_holes(&events);
        told += events.len();
    }
    assert_eq!(told, 60);
}

pub async fn a_removed_user_no_longer_sees_the_title(world: World) {
    let [ann, bob] = world.users(["ann", "bob"]).await;
    let group = world.group(&[&ann, &bob]).await;
    work_all(&world).await;
    world.written(append(Some(&ann), group, WriteAct::RemoveMember(bob.clone()))).await;
    for (user, title) in [(&ann, Some("first title")), (&bob, None)] {
        let events = personal(&world, user).await;
        let Fact::ConversationAdded { conversation, .. } = &events[0].fact else { panic!("{events:?}") };
        assert_eq!(conversation.title.as_deref(), title);
    }
}
