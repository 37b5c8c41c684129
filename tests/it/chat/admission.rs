//! A lane that cannot keep up says so at once, and keeps what it has taken.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use rookery::chat::ChatSettings;
use rookery::domain::ErrorCode;

use super::scene::{Scene, code};

#[tokio::test]
async fn a_full_lane_refuses_at_once_and_writes_all_that_it_took() {
    let settings = ChatSettings { lanes_count: 1, lane_writes_max: 10, ..ChatSettings::default() };
    let scene = Scene::with(settings).await;
    let room = scene.room("ann", &[]).await;
    scene.store.hold();
    let taken: Vec<_> = (0..10).map(|number| scene.says("ann", room, &format!("{number}"))).collect();
    let refused = scene.says("ann", room, "too many").now_or_never().expect("refused at once");
    let error = refused.unwrap_err();
    assert!(error.code == ErrorCode::Unavailable && error.retry_after_ms.is_some());
    scene.store.resume();
    assert!(join_all(taken).await.iter().all(Result::is_ok));
    scene.says("ann", room, "too many").await.unwrap();
    assert_eq!(scene.written(room).await.len(), 11);
}

#[tokio::test]
async fn a_lane_is_full_by_bytes_too() {
    let settings = ChatSettings { lanes_count: 1, lane_bytes_max: 4_096, ..ChatSettings::default() };
    let scene = Scene::with(settings).await;
    let room = scene.room("ann", &[]).await;
    scene.store.hold();
    let taken: Vec<_> = (0..7).map(|number| scene.says("ann", room, &format!("{number}"))).collect();
    let refused = scene.says("ann", room, "too much").now_or_never().expect("refused at once");
    assert_eq!(code(refused), ErrorCode::Unavailable);
    scene.store.resume();
    assert!(join_all(taken).await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn when_the_oldest_waits_too_long_newcomers_are_refused_and_nothing_of_theirs_is_written() {
    let settings = ChatSettings {
        lanes_count: 1,
        admission: Duration::from_millis(50),
        answer_within: Duration::from_millis(100),
        ..ChatSettings::default()
    };
    let scene = Scene::with(settings).await;
    let room = scene.room("ann", &["bob"]).await;
    scene.store.hold();
    // Answered when its deadline has passed, and so the admission's.
    assert_eq!(code(scene.says("ann", room, "early").await), ErrorCode::Unavailable);
    let refused = scene.says("bob", room, "late").now_or_never().expect("refused at once");
    assert_eq!(code(refused), ErrorCode::Unavailable);
    scene.store.resume();
    scene.ear.hears("the early one", |events, _| super::scene::tells(events, "early")).await;
    scene.until_admitted("bob", room, "later").await;
    assert_eq!(scene.written(room).await, ["early", "later"]);
}
