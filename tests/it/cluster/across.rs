//! Members on different nodes, over every transport, talk as if there were one node.

use crate::support::client::{Client, Connection};
use crate::support::cluster::Cluster;
use crate::support::token::token;

#[tokio::test]
async fn a_message_reaches_members_on_every_node() {
    let Some(cluster) = Cluster::start(3).await else { return };
    let [ann, bob, cleo] = cluster.clients(["ann", "bob", "cleo"]).await;
    let room = cluster.room([&ann, &bob, &cleo]).await;
    ann.say(&room, "hi from one").await;
    bob.say(&room, "hi from two").await;
    cleo.say(&room, "hi from three").await;
    for member in [&ann, &bob, &cleo] {
        member.hears("hi from one").await;
        member.hears("hi from two").await;
        member.hears("hi from three").await;
        let seqs: Vec<u64> = member.events("message:new").iter().map(|event| event["seq"].as_u64().unwrap()).collect();
        assert_eq!(seqs, [1, 2, 3], "at {}", member.user());
    }
}

#[tokio::test]
async fn every_transport_works_through_a_proxy_that_gives_each_request_to_the_next_node() {
    let Some(cluster) = Cluster::start(3).await else { return };
    let Some(url) = cluster.balanced_url().await else { return };
    let connect = |user: &'static str| Connection::to(&url).token(&token(user));
    let by_default = cluster.client("ann", connect("ann")).await.ready().await;
    let polling = cluster.client("bob", connect("bob").transports(&["polling"])).await.ready().await;
    let websocket = cluster.client("cleo", connect("cleo").transports(&["websocket"])).await.ready().await;
    by_default.upgraded().await;
    assert_eq!(polling.state().await["transport"], "polling");

    let everybody: [&Client; 3] = [&by_default, &polling, &websocket];
    let room = cluster.room(everybody).await;
    for n in 0..10 {
        everybody[n % 3].say(&room, &format!("message {n}")).await;
    }
    for member in everybody {
        member.hears("message 9").await;
        let seqs: Vec<u64> = member.events("message:new").iter().map(|event| event["seq"].as_u64().unwrap()).collect();
        assert_eq!(seqs, (1..=10).collect::<Vec<u64>>(), "at {}", member.user());
    }
}
