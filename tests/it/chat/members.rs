//! Who may what in a conversation, and where a removal ends it.

use futures_util::future::join_all;
use rookery::domain::{
    Actor, ChatError, Command, ConversationId, ConversationKind, ConversationPatch, ErrorCode, Event, Fact, Reply, Role,
};

use super::scene::{Scene, code, user};

fn add(conversation: ConversationId, name: &str, role: Role) -> Command {
    Command::AddMember { conversation, user: user(name), role }
}

fn remove(conversation: ConversationId, name: &str) -> Command {
    Command::RemoveMember { conversation, user: user(name) }
}

fn set_role(conversation: ConversationId, name: &str, role: Role) -> Command {
    Command::SetRole { conversation, user: user(name), role }
}

async fn changed(scene: &Scene, who: &str, command: Command) -> Event {
    match scene.does(who, command).await.unwrap() {
        Reply::Changed(event) => *event,
        other => panic!("nothing has changed: {other:?}"),
    }
}

#[tokio::test]
async fn after_a_removal_nothing_of_the_removed_is_written() {
    Scene::on_every_store(async |scene| {
        let room = scene.room("ann", &["bob", "cid"]).await;
        let mut answers = Vec::new();
        let mut removal = None;
        for number in 0..200 {
            answers.push(scene.says("bob", room, &format!("bob-{number:03}")));
            answers.push(scene.says("cid", room, &format!("cid-{number:03}")));
            if number == 100 {
                removal = Some(scene.chat.submit(Actor::rest(user("ann")), remove(room, "bob")));
            }
            tokio::task::yield_now().await;
        }
        let Ok(Reply::Changed(gone)) = removal.unwrap().await else { panic!("bob is removed") };
        for answer in join_all(answers).await {
            match answer {
                Ok(sent) => assert!(sent.message.sender_id == "cid" || sent.message.seq < gone.seq),
                Err(error) => assert_eq!(error.code, ErrorCode::NotFound),
            }
        }
        let later = |event: &Event| event.seq > gone.seq && event.actor == Some(user("bob"));
        assert!(!scene.ear.events().iter().any(later));
        assert_eq!(scene.written(room).await.iter().filter(|words| words.starts_with("cid")).count(), 200);
        let seqs = scene.ear.seqs(room);
        assert_eq!(seqs, (1..=u64::try_from(seqs.len()).unwrap()).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
async fn each_role_may_what_it_may_and_strangers_learn_nothing() {
    Scene::on_every_store(async |scene| {
        let room = scene.room("ann", &["bob"]).await;
        let patch = || Command::UpdateConversation {
            conversation: room,
            patch: ConversationPatch { title: Some(Some("new".into())), ..ConversationPatch::default() },
        };
        for command in [add(room, "cid", Role::Member), remove(room, "ann"), set_role(room, "bob", Role::Owner), patch()] {
            assert_eq!(code(scene.does("bob", command.clone()).await), ErrorCode::Forbidden, "{command:?}");
            assert_eq!(code(scene.does("dan", command.clone()).await), ErrorCode::NotFound, "{command:?}");
        }
        assert!(scene.ear.seqs(room).is_empty());
        changed(&scene, "ann", set_role(room, "bob", Role::Admin)).await;
        let added = changed(&scene, "bob", add(room, "cid", Role::Member)).await;
        assert!(matches!(added.fact, Fact::MemberAdded { user: who, by, .. } if who == user("cid") && by == Some(user("bob"))));
        assert_eq!(code(scene.does("bob", remove(room, "ann")).await), ErrorCode::Forbidden, "an owner is above an admin");
        let updated = changed(&scene, "bob", patch()).await;
        assert!(matches!(updated.fact, Fact::ConversationUpdated(now) if now.title.as_deref() == Some("new")));
        changed(&scene, "cid", remove(room, "cid")).await;
        assert_eq!(scene.ear.seqs(room), [1, 2, 3, 4]);
    })
    .await;
}

#[tokio::test]
async fn doing_again_what_is_done_answers_and_writes_nothing() {
    Scene::on_every_store(async |scene| {
        let room = scene.room("ann", &["bob"]).await;
        assert_eq!(scene.does("ann", add(room, "bob", Role::Member)).await, Ok(Reply::Unchanged));
        assert_eq!(scene.does("ann", set_role(room, "bob", Role::Member)).await, Ok(Reply::Unchanged));
        assert_eq!(code(scene.does("ann", remove(room, "cid")).await), ErrorCode::NotFound);
        assert_eq!(code(scene.does("ann", add(room, "nobody", Role::Member)).await), ErrorCode::Invalid);
        assert_eq!(code(scene.does("ann", set_role(room, "ann", Role::Member)).await), ErrorCode::Conflict);
        assert!(scene.ear.seqs(room).is_empty());
    })
    .await;
}

#[tokio::test]
async fn when_the_last_owner_leaves_the_next_one_is_told_right_behind() {
    let scene = Scene::new().await;
    let room = scene.room("ann", &["bob", "cid"]).await;
    changed(&scene, "ann", set_role(room, "cid", Role::Admin)).await;
    changed(&scene, "ann", remove(room, "ann")).await;
    let events = scene.ear.events();
    let last = events.iter().rfind(|event| matches!(event.fact, Fact::MemberRole { .. })).unwrap();
    assert!(matches!(&last.fact, Fact::MemberRole { user: who, role: Role::Owner, .. } if *who == user("cid")));
    assert_eq!(scene.ear.seqs(room), [1, 2, 3]);
    assert_eq!(scene.chat.role_of(&user("cid"), room).await, Ok(Role::Owner));
}

#[tokio::test]
async fn a_direct_conversation_stays_one_of_two_whoever_asks() {
    let scene = Scene::new().await;
    let (_, direct) = scene.creates("ann", ConversationKind::Direct, &["bob"], None).await.unwrap();
    assert_eq!(code(scene.does("ann", add(direct.id, "cid", Role::Member)).await), ErrorCode::Forbidden);
    let service = scene.chat.submit(Actor::service(None), add(direct.id, "cid", Role::Member)).await;
    assert_eq!(code(service), ErrorCode::Forbidden);
    assert_eq!(scene.chat.roster(&user("ann"), direct.id).await.unwrap().len(), 2);
}

#[tokio::test]
async fn the_service_api_acts_by_itself_and_in_anybodys_name() {
    let scene = Scene::new().await;
    let (_, channel) = scene.creates("ann", ConversationKind::Channel, &["bob"], None).await.unwrap();
    let service = |name: Option<&str>, command| scene.chat.submit(Actor::service(name.map(user)), command);
    let added: Result<Reply, ChatError> = service(None, add(channel.id, "cid", Role::Member)).await;
    assert!(matches!(added, Ok(Reply::Changed(event)) if event.actor.is_none()));
    assert_eq!(code(scene.says("bob", channel.id, "not in a channel").await), ErrorCode::Forbidden);
    let send = scene.send(channel.id, "by the service");
    assert!(
        matches!(service(Some("bob"), send.clone()).await, Ok(Reply::Sent(sent)) if sent.message.sender_id == "bob")
    );
    assert_eq!(code(service(Some("dan"), send.clone()).await), ErrorCode::NotFound);
    assert_eq!(code(service(None, send).await), ErrorCode::Invalid);
}
