//! What a membership means for a user reaches the user's own feed, once, whatever fails between.

use rookery::domain::{Command, ConversationId, Event, Fact, FeedId, Role};

use super::scene::{Scene, user};
use super::scripted::Fault;

/// How often dan was told that he is in, and that he is out.
fn told(events: &[Event], room: ConversationId) -> (usize, usize) {
    let own = events.iter().filter(|event| event.feed == FeedId::User(user("dan")));
    own.fold((0, 0), |(added, removed), event| match &event.fact {
        Fact::ConversationAdded { conversation, .. } if conversation.id == room => (added + 1, removed),
        Fact::ConversationRemoved { conversation } if *conversation == room => (added, removed + 1),
        _ => (added, removed),
    })
}

#[tokio::test]
async fn a_member_added_and_removed_is_told_of_both() {
    Scene::on_every_store(async |scene| {
        let room = scene.room("ann", &[]).await;
        let add = Command::AddMember { conversation: room, user: user("dan"), role: Role::Member };
        scene.does("ann", add).await.unwrap();
        scene.ear.hears("dan is in", |events, _| told(events, room) == (1, 0)).await;
        scene.does("ann", Command::RemoveMember { conversation: room, user: user("dan") }).await.unwrap();
        scene.ear.hears("dan is out", |events, _| told(events, room) == (1, 1)).await;
    })
    .await;
}

#[tokio::test]
async fn what_another_node_left_behind_is_worked_when_the_store_is_back() {
    let scene = Scene::new().await;
    let room = scene.room("ann", &[]).await;
    scene.store.always(Some(Fault::NotReached));
    let gone = scene.another_node();
    gone.store.fail_outbox();
    let add = Command::AddMember { conversation: room, user: user("dan"), role: Role::Member };
    gone.does("ann", add).await.unwrap();
    scene.store.always(None);
    scene.ear.hears("dan is in", |events, _| told(events, room) == (1, 0)).await;
    assert_eq!(told(&gone.ear.events(), room), (0, 0));
}
