//! Users and nodes.

use std::time::Duration;

use rookery::domain::{NodeId, Profile};

use super::world::{World, profile, user};

pub async fn users_are_ensured_but_not_changed(world: World) {
    let first = Profile { email: Some("ann@example.org".into()), ..profile("ann") };
    world.store.ensure_users(std::slice::from_ref(&first)).await.unwrap();
    let other = Profile { name: "other".into(), ..profile("ann") };
    world.store.ensure_users(&[other.clone(), profile("bob"), other]).await.unwrap();
    let mut found = world.store.users(&[user("ann"), user("bob"), user("nobody")]).await.unwrap();
    found.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(found, [first, profile("bob")]);
    world.store.ensure_users(&[]).await.unwrap();
}

pub async fn users_are_put_field_by_field(world: World) {
    let first = Profile { avatar: Some("a.png".into()), username: Some("annie".into()), ..profile("ann") };
    assert_eq!(world.store.upsert_users(std::slice::from_ref(&first)).await.unwrap()[0], first);
    // A name that is the id was not given; nor are the empty fields.
    let put = Profile { name: "ann".into(), email: Some("x@example.org".into()), avatar: None, ..profile("ann") };
    let now = world.store.upsert_users(&[profile("bob"), put, profile("bob")]).await.unwrap();
    assert_eq!(now[1], Profile { email: Some("x@example.org".into()), ..first });
    assert_eq!((&now[0], &now[2]), (&profile("bob"), &profile("bob")));
    assert_eq!(world.store.upsert_users(&[]).await.unwrap(), []);
}

pub async fn a_node_is_seen_until_it_is_forgotten(world: World) {
    let names = ["one", "two"].map(|name| NodeId::parse(name).unwrap());
    for name in &names {
        world.store.beat(name, "127.0.0.1:1", "0.1.0").await.unwrap();
    }
    world.store.beat(&names[0], "127.0.0.1:2", "0.2.0").await.unwrap();
    let nodes = world.store.nodes(Duration::from_secs(60)).await.unwrap();
    assert_eq!(nodes.iter().map(|node| &node.id).collect::<Vec<_>>(), [&names[0], &names[1]]);
    assert_eq!((nodes[0].advertise.as_str(), nodes[0].version.as_str()), ("127.0.0.1:2", "0.2.0"));
    assert!(nodes.iter().all(|node| node.age < Duration::from_secs(60)));
    world.store.forget(&names[0]).await.unwrap();
    assert_eq!(world.store.nodes(Duration::MAX).await.unwrap().len(), 1);
}

pub async fn the_epoch_stays(world: World) {
    let neighbour = world.neighbour().await;
    let (here, there) = tokio::join!(world.store.epoch(), neighbour.epoch());
    assert_eq!(here.unwrap(), there.unwrap());
    assert_eq!(world.store.epoch().await.unwrap(), world.neighbour().await.epoch().await.unwrap());
}
