//! A commit whose reply was lost, or that never happened: resolved by its clientId, told once, answered rightly.

use std::time::Duration;

use futures_util::future::join_all;
use rookery::chat::ChatSettings;
use rookery::domain::{Command, ErrorCode, Fact, Reply, Role};

use super::scene::{Scene, tells, user};
use super::scripted::Fault::{NotReached, ReplyLost};

#[tokio::test]
async fn whether_the_batch_or_its_reply_was_lost_each_send_is_written_told_and_answered_as_new() {
    Scene::on_every_store(async |scene| {
        let room = scene.room("ann", &["bob"]).await;
        let mut expected = Vec::new();
        for (round, faults) in
            [vec![ReplyLost], vec![NotReached], vec![NotReached, ReplyLost], vec![ReplyLost, NotReached, ReplyLost]]
                .into_iter()
                .enumerate()
        {
            scene.store.next_appends(faults);
            let words: Vec<String> = (0..20).map(|number| format!("{round}-{number:02}")).collect();
            let answers = join_all(words.iter().map(|words| scene.says("ann", room, words))).await;
            assert!(answers.into_iter().all(|answer| !answer.unwrap().duplicate), "round {round}");
            expected.extend(words);
        }
        assert_eq!(scene.written(room).await, expected);
        assert_eq!(scene.ear.seqs(room), (1..=80).collect::<Vec<u64>>());
    })
    .await;
}

#[tokio::test]
async fn a_retry_that_comes_while_the_first_is_unresolved_is_answered_as_its_duplicate() {
    for fault in [None, Some(NotReached), Some(ReplyLost)] {
        let settings = ChatSettings { answer_within: Duration::from_millis(50), ..ChatSettings::default() };
        let scene = Scene::with(settings).await;
        let room = scene.room("ann", &[]).await;
        scene.store.hold();
        let error = scene.says("ann", room, "again").await.unwrap_err();
        assert!(error.code == ErrorCode::Unavailable && error.retry_after_ms.is_some());
        scene.store.next_appends(fault);
        let retry = scene.says("ann", room, "again");
        scene.store.resume();
        scene.ear.hears("the send", |events, _| tells(events, "again")).await;
        let (retry, later) = (retry.await, scene.says("ann", room, "again").await);
        // A busy machine may answer the retry too late, which is no answer at all: never a wrong one.
        assert!(retry.as_ref().map_or_else(|error| error.code == ErrorCode::Unavailable, |sent| sent.duplicate));
        assert!(later.unwrap().duplicate);
        assert_eq!(scene.written(room).await, ["again"]);
        assert_eq!(scene.ear.seqs(room), [1]);
    }
}

#[tokio::test]
async fn what_another_node_wrote_meanwhile_is_a_duplicate_and_not_told_again() {
    Scene::on_every_store(async |scene| {
        let other = scene.another_node();
        let room = scene.room("ann", &[]).await;
        scene.store.always(Some(NotReached));
        let here = scene.says("ann", room, "twice");
        scene.appends_reach(1).await;
        let there = other.says("ann", room, "twice").await.unwrap();
        scene.store.always(None);
        let here = here.await.unwrap();
        assert!(here.duplicate && !there.duplicate);
        assert_eq!(here.message, there.message);
        assert_eq!(scene.written(room).await, ["twice"]);
        assert_eq!((scene.ear.seqs(room), other.ear.seqs(room)), (vec![], vec![1]));
    })
    .await;
}

#[tokio::test]
async fn a_membership_change_whose_reply_was_lost_is_told_and_answered_as_a_change() {
    let scene = Scene::new().await;
    let room = scene.room("ann", &[]).await;
    scene.store.next_appends([ReplyLost]);
    let add = Command::AddMember { conversation: room, user: user("bob"), role: Role::Member };
    let reply = scene.does("ann", add).await.unwrap();
    assert!(matches!(reply, Reply::Changed(event) if matches!(event.fact, Fact::MemberAdded { .. })));
    assert_eq!(scene.ear.seqs(room), [1]);
}
