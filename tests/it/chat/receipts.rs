//! Receipts are merged, only ever rise, and speak only when something moved.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use rookery::chat::ChatSettings;
use rookery::domain::{ChatError, Command, ConversationId, ErrorCode, MessageRef, Reply, Seq, Signal, Watermarks};

use super::scene::{Scene, code, user};
use super::scripted::Fault;

fn marks(delivered: u64, read: u64) -> Watermarks {
    Watermarks { delivered_seq: Seq(delivered), read_seq: Seq(read) }
}

fn read(conversation: ConversationId, seq: u64) -> Command {
    Command::MarkRead { conversation, upto: MessageRef::Seq(Seq(seq)) }
}

fn delivered(conversation: ConversationId, seq: u64) -> Command {
    Command::MarkDelivered { conversation, upto: MessageRef::Seq(Seq(seq)) }
}

async fn marked(scene: &Scene, who: &str, command: Command) -> Result<Watermarks, ChatError> {
    match scene.does(who, command).await? {
        Reply::Watermarks(watermarks) => Ok(watermarks),
        other => panic!("not the answer to a receipt: {other:?}"),
    }
}

/// A room where ann has said ten things.
async fn room_with_ten(scene: &Scene) -> ConversationId {
    let room = scene.room("ann", &["bob", "cid"]).await;
    let answers = join_all((0..10).map(|number| scene.says("ann", room, &format!("{number}")))).await;
    assert!(answers.iter().all(Result::is_ok));
    room
}

#[tokio::test]
async fn what_comes_together_is_written_together_and_told_once_a_member() {
    let scene = Scene::with(ChatSettings { receipts_every: Duration::from_secs(1), ..ChatSettings::default() }).await;
    let room = room_with_ten(&scene).await;
    let wishes = (1..=10).flat_map(|seq| [("bob", read(room, seq)), ("cid", delivered(room, seq))]);
    let answers = join_all(wishes.map(|(who, command)| marked(&scene, who, command))).await;
    for (number, answer) in answers.into_iter().enumerate() {
        assert_eq!(answer.unwrap(), if number % 2 == 0 { marks(10, 10) } else { marks(10, 0) });
    }
    assert_eq!(scene.store.advances(), [2]);
    let mut told = scene.ear.signals();
    told.sort_by_key(|Signal::Receipt { user, .. }| user.clone());
    let signal = |name, to| Signal::Receipt { conversation: room, user: user(name), from: marks(0, 0), to };
    assert_eq!(told, [signal("bob", marks(10, 10)), signal("cid", marks(10, 0))]);
}

#[tokio::test]
async fn what_does_not_move_is_answered_and_says_nothing() {
    let scene = Scene::with(quick()).await;
    let room = room_with_ten(&scene).await;
    assert_eq!(marked(&scene, "bob", read(room, 6)).await.unwrap(), marks(6, 6));
    assert_eq!(marked(&scene, "bob", read(room, 6)).await.unwrap(), marks(6, 6));
    assert_eq!(marked(&scene, "bob", read(room, 2)).await.unwrap(), marks(6, 6), "backwards has no effect");
    assert_eq!(marked(&scene, "bob", delivered(room, 3)).await.unwrap(), marks(6, 6));
    assert_eq!(marked(&scene, "bob", delivered(room, 8)).await.unwrap(), marks(8, 6));
    assert_eq!(marked(&scene, "bob", read(room, 99_999)).await.unwrap(), marks(10, 10), "beyond the head is the head");
    let moves: Vec<_> = scene.ear.signals().into_iter().map(|Signal::Receipt { from, to, .. }| (from, to)).collect();
    let expected = [(marks(0, 0), marks(6, 6)), (marks(6, 6), marks(8, 6)), (marks(8, 6), marks(10, 10))];
    assert_eq!(moves, expected);
}

#[tokio::test]
async fn a_place_may_be_named_by_a_message_of_the_same_conversation_only() {
    Scene::on_every_store(async |scene| {
        let (room, other) = (room_with_ten(&scene).await, room_with_ten(&scene).await);
        let message = scene.says("ann", room, "eleven").await.unwrap().message;
        let upto = MessageRef::Message(message.id);
        let reply = marked(&scene, "bob", Command::MarkRead { conversation: room, upto }).await;
        assert_eq!(reply.unwrap(), marks(11, 11));
        let elsewhere = marked(&scene, "bob", Command::MarkRead { conversation: other, upto }).await;
        assert_eq!(code(elsewhere), ErrorCode::NotFound);
        let unknown = MessageRef::Message(scene.chat.new_message_id());
        let nowhere = marked(&scene, "bob", Command::MarkDelivered { conversation: room, upto: unknown }).await;
        assert_eq!(code(nowhere), ErrorCode::NotFound);
        assert_eq!(scene.ear.signals().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn who_is_no_member_has_nothing_to_mark() {
    let scene = Scene::with(quick()).await;
    let room = room_with_ten(&scene).await;
    let (foreign, nowhere) = tokio::join!(
        marked(&scene, "dan", read(room, 1)),
        marked(&scene, "dan", read(scene.chat.new_conversation_id(), 1))
    );
    assert_eq!(foreign, nowhere);
    assert_eq!(code(foreign), ErrorCode::NotFound);
    assert!(scene.ear.signals().is_empty());
}

#[tokio::test]
async fn without_the_store_receipts_are_unavailable_and_a_lock_is_waited_out() {
    let scene = Scene::with(quick()).await;
    let room = room_with_ten(&scene).await;
    scene.store.always(Some(Fault::NotReached));
    assert_eq!(code(marked(&scene, "bob", read(room, 5)).await), ErrorCode::Unavailable);
    scene.store.always(None);
    scene.store.next_advances([Fault::Busy, Fault::Busy]);
    assert_eq!(marked(&scene, "bob", read(room, 5)).await.unwrap(), marks(5, 5));
}

#[tokio::test]
async fn no_more_wait_than_the_bound_says() {
    let scene = Scene::with(ChatSettings { receipts_max: 4, ..ChatSettings::default() }).await;
    let room = room_with_ten(&scene).await;
    let mut taken: Vec<_> = (1..=4).map(|seq| Box::pin(marked(&scene, "bob", read(room, seq)))).collect();
    taken.iter_mut().for_each(|wish| assert!(wish.now_or_never().is_none()));
    let fifth = marked(&scene, "cid", read(room, 1)).now_or_never().expect("refused at once");
    assert_eq!(code(fifth), ErrorCode::Unavailable);
    assert!(join_all(taken).await.into_iter().all(|answer| answer.unwrap() == marks(4, 4)));
}

fn quick() -> ChatSettings {
    ChatSettings { receipts_every: Duration::from_millis(1), ..ChatSettings::default() }
}
