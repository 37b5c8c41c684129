//! Conversations are made once, of people who exist.

use std::collections::HashSet;

use futures_util::future::join_all;
use rookery::domain::{ConversationKind, ErrorCode, Fact, FeedId, Seq};

use super::scene::{Scene, code, user};
use super::scripted::Fault;

#[tokio::test]
async fn a_direct_conversation_is_one_per_pair_however_often_and_by_whom_it_is_asked_for() {
    Scene::on_every_store(async |scene| {
        let asks = (0..10).flat_map(|_| [("ann", "bob"), ("bob", "ann")]).map(|(owner, other)| {
            let scene = &scene;
            async move { scene.creates(owner, ConversationKind::Direct, &[other], None).await.unwrap() }
        });
        let answers = join_all(asks).await;
        assert_eq!(answers.iter().filter(|(new, _)| *new).count(), 1);
        assert_eq!(answers.iter().map(|(_, conversation)| conversation.id).collect::<HashSet<_>>().len(), 1);
        let (new, other) = scene.creates("ann", ConversationKind::Direct, &["cid"], None).await.unwrap();
        assert!(new && other.id != answers[0].1.id);
    })
    .await;
}

#[tokio::test]
async fn a_repeated_creation_under_the_same_client_id_answers_the_first_result() {
    let scene = Scene::new().await;
    let create = |owner, client_id| scene.creates(owner, ConversationKind::Group, &["cid"], Some(client_id));
    let (first, again) = (create("ann", "plan").await.unwrap(), create("ann", "plan").await.unwrap());
    assert!(first.0 && !again.0 && first.1.id == again.1.id);
    let others = [create("ann", "other").await.unwrap(), create("bob", "plan").await.unwrap()];
    assert!(others.iter().all(|(new, conversation)| *new && conversation.id != first.1.id));
}

#[tokio::test]
async fn a_creation_whose_reply_was_lost_is_unavailable_and_its_retry_finds_it() {
    let scene = Scene::new().await;
    scene.store.always(Some(Fault::ReplyLost));
    let lost = scene.creates("ann", ConversationKind::Group, &["bob"], Some("plan")).await;
    assert_eq!(code(lost), ErrorCode::Unavailable);
    scene.store.always(None);
    let (new, _) = scene.creates("ann", ConversationKind::Group, &["bob"], Some("plan")).await.unwrap();
    assert!(!new);
}

#[tokio::test]
async fn what_cannot_be_is_invalid_and_leaves_nothing() {
    let scene = Scene::new().await;
    let names: Vec<String> = (0..1_001).map(|number| format!("user{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for (kind, others) in [
        (ConversationKind::Direct, &["ann"][..]),
        (ConversationKind::Direct, &[]),
        (ConversationKind::Direct, &["bob", "cid"]),
        (ConversationKind::Direct, &["nobody"]),
        (ConversationKind::Group, &["bob", "nobody"]),
        (ConversationKind::Channel, &names),
    ] {
        assert_eq!(code(scene.creates("ann", kind, others, None).await), ErrorCode::Invalid, "{kind:?}");
    }
    assert!(scene.chat.conversation_ids_of(&user("ann"), None, 10).await.unwrap().is_empty());
    assert!(scene.chat.conversation_ids_of(&user("bob"), None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn everybody_in_it_is_told_in_their_own_feed() {
    let scene = Scene::new().await;
    let room = scene.room("ann", &["bob", "cid"]).await;
    for name in ["ann", "bob", "cid"] {
        let told = format!("{name} is in a conversation");
        scene
            .ear
            .hears(&told, |events, _| {
                events.iter().any(|event| {
                    event.feed == FeedId::User(user(name))
                        && matches!(&event.fact, Fact::ConversationAdded { conversation, from_seq }
                            if conversation.id == room && *from_seq == Seq::ZERO)
                })
            })
            .await;
    }
}
