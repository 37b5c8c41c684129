//! Users from tokens: made sure of together, and only once.

use futures_util::future::join_all;
use rookery::domain::ErrorCode;

use super::scene::{Scene, code, profile, user};
use super::scripted::Fault;

#[tokio::test]
async fn a_storm_of_connects_costs_the_store_a_few_calls() {
    let scene = Scene::new().await;
    let before = scene.store.ensures().len();
    let names: Vec<String> = (0..5_000).map(|number| format!("user{}", number % 1_500)).collect();
    let welcomes = join_all(names.iter().map(|name| scene.chat.welcome(profile(name)))).await;
    assert!(welcomes.iter().all(Result::is_ok));
    let calls = scene.store.ensures()[before..].to_vec();
    assert!(calls.len() <= 5 && calls.iter().all(|users| *users <= 1_000), "{calls:?}");
    let ids: Vec<_> = (0..1_500).map(|number| user(&format!("user{number}"))).collect();
    let mut found = 0;
    for ids in ids.chunks(100) {
        found += scene.chat.users(ids).await.unwrap().len();
    }
    assert_eq!(found, 1_500);
}

#[tokio::test]
async fn who_was_seen_lately_needs_no_store_and_keeps_the_profile_that_is_there() {
    let scene = Scene::new().await;
    scene.store.always(Some(Fault::NotReached));
    let mut other = profile("ann");
    other.name = "Somebody Else".into();
    scene.chat.welcome(other).await.unwrap();
    assert_eq!(scene.chat.user(&user("ann")).await.unwrap().name, "ann");
}

#[tokio::test]
async fn without_the_store_newcomers_are_unavailable_until_it_is_back() {
    let scene = Scene::new().await;
    scene.store.always(Some(Fault::NotReached));
    assert_eq!(code(scene.chat.welcome(profile("eve")).await), ErrorCode::Unavailable);
    scene.store.always(None);
    scene.chat.welcome(profile("eve")).await.unwrap();
    assert_eq!(scene.chat.user(&user("eve")).await.unwrap().id, user("eve"));
    assert_eq!(code(scene.chat.user(&user("fay")).await), ErrorCode::NotFound);
}
