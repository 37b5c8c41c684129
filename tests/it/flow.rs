//! What users do over sockets, with the real socket.io-client: on the embedded default, and on three nodes where they are installed.

mod bad_input;
mod connecting;
mod limits;
mod membership;
mod receipts;
mod resuming;
mod talking;
mod tokens;

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::cluster::Cluster;

/// The embedded default, and three nodes on Postgres and Redis where these are installed.
async fn everywhere() -> Vec<Cluster> {
    let mut clusters = vec![Cluster::embedded().await];
    clusters.extend(Cluster::start(3).await);
    clusters
}

/// Waits until a client has seen this many events of a name; gives all of them.
async fn seen(client: &Client, event: &str, count: usize) -> Vec<Value> {
    crate::support::deadline::until(&format!("{} sees {count} of {event}", client.user()), || async {
        let events = client.events(event);
        (events.len() >= count).then_some(events)
    })
    .await
}

/// The seqs of events, in the order they came in.
fn seqs(events: &[Value]) -> Vec<u64> {
    events.iter().map(|event| event["seq"].as_u64().unwrap()).collect()
}

/// Sends `count` texts at once, without waiting for any, and gives the acks in the order of sending.
async fn say_many(client: &Client, room: &str, count: usize) -> Vec<Value> {
    let sends = (0..count).map(|n| async move { client.say_as(room, &format!("text {n}"), &format!("c-{n}")).await });
    futures_util::future::join_all(sends).await
}

/// The head of a conversation, as REST tells it.
async fn head(cluster: &Cluster, user: &str, room: &str) -> u64 {
    let view = cluster.rest(user).get(&format!("/conversations/{room}")).await.ok();
    view["head"].as_u64().unwrap()
}

/// A sync of one conversation: its item of the answer.
async fn sync_one(client: &Client, room: &str, cursor: Value) -> Value {
    let mut ack = client.asks("sync", json!({ "cursors": { room: cursor } })).await;
    ack["conversations"][0].take()
}
