//! At the end of a node nothing that was taken is lost, and what cannot be finished is answered.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use rookery::chat::Finished;
use rookery::domain::{Command, ErrorCode, MessageRef, Seq};
use tokio::time::Instant;

use super::scene::{PATIENCE, Scene, code};
use super::scripted::Fault;

#[tokio::test]
async fn everything_taken_is_written_and_nothing_more_is_taken() {
    Scene::on_every_store(async |scene| {
        let rooms = [scene.room("ann", &[]).await, scene.room("ann", &[]).await, scene.room("ann", &[]).await];
        scene.store.next_appends([Fault::NotReached, Fault::ReplyLost, Fault::Busy]);
        let answers: Vec<_> =
            (0..600).map(|number| scene.says("ann", rooms[number % 3], &format!("{number:03}"))).collect();
        let read = Command::MarkRead { conversation: rooms[0], upto: MessageRef::Seq(Seq(1)) };
        let mut read = Box::pin(scene.does("ann", read));
        assert!((&mut read).now_or_never().is_none(), "it waits for its flush");
        let finished = scene.chat.finish(Instant::now() + PATIENCE).await;
        assert_eq!(finished, Finished { unwritten_count: 0 });
        assert!(read.await.is_ok());
        assert!(join_all(answers).await.into_iter().all(|answer| !answer.unwrap().duplicate));
        let late = scene.says("ann", rooms[0], "late").now_or_never().expect("refused at once");
        assert_eq!(code(late), ErrorCode::Unavailable);
        for room in rooms {
            assert_eq!(scene.written(room).await.len(), 200);
            assert_eq!(scene.ear.seqs(room), (1..=200).collect::<Vec<u64>>());
        }
    })
    .await;
}

#[tokio::test]
async fn at_the_deadline_what_is_unresolved_is_counted_and_answered_as_unknown() {
    let scene = Scene::new().await;
    let room = scene.room("ann", &[]).await;
    scene.store.hold();
    let answers: Vec<_> = (0..20).map(|number| scene.says("ann", room, &format!("{number}"))).collect();
    let finished = scene.chat.finish(Instant::now() + Duration::from_millis(50)).await;
    assert_eq!(finished, Finished { unwritten_count: 20 });
    assert!(join_all(answers).await.into_iter().all(|answer| code(answer) == ErrorCode::Unavailable));
}
