//! What waits is written together, and one bad write or locked conversation harms no other.

use futures_util::future::join_all;
use rookery::chat::ChatSettings;
use rookery::domain::ErrorCode;

use super::scene::{Scene, code, tells};
use super::scripted::Fault;

#[tokio::test]
async fn what_comes_while_a_batch_is_written_goes_into_the_next_one() {
    let scene = Scene::with(ChatSettings { lanes_count: 1, ..ChatSettings::default() }).await;
    let room = scene.room("ann", &["bob"]).await;
    scene.store.hold();
    let first = scene.says("ann", room, "first");
    scene.appends_reach(1).await;
    let rest: Vec<_> = (0..600).map(|number| scene.says("ann", room, &format!("{number:03}"))).collect();
    scene.store.resume();
    first.await.unwrap();
    assert!(join_all(rest).await.iter().all(Result::is_ok));
    assert_eq!(scene.store.batches(), [1, 256, 256, 88]);
    assert_eq!(scene.written(room).await.len(), 601);
}

#[tokio::test]
async fn a_bad_write_fails_alone() {
    let scene = Scene::with(ChatSettings { lanes_count: 1, ..ChatSettings::default() }).await;
    let room = scene.room("ann", &["bob"]).await;
    scene.store.hold();
    let mut answers = Vec::new();
    for number in 0..10 {
        answers.push(scene.says("ann", room, &format!("good-{number}")));
        answers.push(scene.says("cid", room, &format!("bad-{number}")));
        answers.push(scene.says("cid", scene.chat.new_conversation_id(), &format!("lost-{number}")));
    }
    scene.store.resume();
    for (number, answer) in join_all(answers).await.into_iter().enumerate() {
        match number % 3 {
            0 => assert!(answer.is_ok()),
            _ => assert_eq!(code(answer), ErrorCode::NotFound),
        }
    }
    assert_eq!(scene.written(room).await, (0..10).map(|number| format!("good-{number}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn poison_that_no_check_finds_is_cut_out_and_its_neighbours_are_written_in_order() {
    let scene = Scene::with(ChatSettings { lanes_count: 1, ..ChatSettings::default() }).await;
    let room = scene.room("ann", &[]).await;
    scene.store.poison("w07");
    scene.store.poison("w31");
    scene.store.hold();
    let answers: Vec<_> = (0..40).map(|number| scene.says("ann", room, &format!("w{number:02}"))).collect();
    scene.store.resume();
    for (number, answer) in join_all(answers).await.into_iter().enumerate() {
        if number == 7 || number == 31 {
            assert_eq!(code(answer), ErrorCode::Internal);
        } else {
            assert!(!answer.unwrap().duplicate);
        }
    }
    let expected: Vec<String> =
        (0..40).filter(|number| *number != 7 && *number != 31).map(|number| format!("w{number:02}")).collect();
    assert_eq!(scene.written(room).await, expected);
    assert_eq!(scene.ear.seqs(room), (1..=38).collect::<Vec<u64>>());
}

#[tokio::test]
async fn a_lock_conflict_is_tried_again_until_it_passes() {
    let scene = Scene::new().await;
    let (room, other) = (scene.room("ann", &[]).await, scene.room("ann", &[]).await);
    scene.store.next_appends([Fault::Busy; 3]);
    assert!(!scene.says("ann", room, "hi").await.unwrap().duplicate);
    assert!(!scene.says("ann", other, "hi").await.unwrap().duplicate);
    assert_eq!((scene.written(room).await, scene.written(other).await), (vec!["hi".into()], vec!["hi".into()]));
}

#[tokio::test]
async fn a_locked_conversation_keeps_its_order_and_holds_up_no_other() {
    let scene = Scene::with(ChatSettings { lanes_count: 1, ..ChatSettings::default() }).await;
    let locked = scene.room("ann", &["bob"]).await;
    let free = scene.room("cid", &[]).await;
    scene.store.lock(locked);
    let mut waiting = Vec::new();
    for number in 0..30 {
        waiting.push(scene.says("ann", locked, &format!("ann-{number:02}")));
        waiting.push(scene.says("bob", locked, &format!("bob-{number:02}")));
        scene.says("cid", free, &format!("cid-{number:02}")).await.unwrap();
    }
    assert!(scene.written(locked).await.is_empty());
    assert!(!scene.ear.events().iter().any(|event| tells(std::slice::from_ref(event), "ann-00")));
    scene.store.unlock(locked);
    assert!(join_all(waiting).await.iter().all(Result::is_ok));
    let written = scene.written(locked).await;
    for name in ["ann", "bob"] {
        let own: Vec<&String> = written.iter().filter(|words| words.starts_with(name)).collect();
        assert!(own.is_sorted() && own.len() == 30, "{own:?}");
    }
    assert_eq!(scene.ear.seqs(locked), (1..=60).collect::<Vec<u64>>());
}
