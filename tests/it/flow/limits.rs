//! Too much, and far too much.

use std::time::Duration;

use serde_json::json;

use crate::support::cluster::Cluster;

/// Limits as they are by default, for a cluster of the tests that has them off.
const ON: (&str, &str) = ("ROOKERY__LIMITS__ENABLED", "true");

#[tokio::test]
async fn beyond_the_rate_a_send_is_refused_softly_and_says_when_to_try_again() {
    let cluster = Cluster::embedded_with(&[ON, ("ROOKERY__LIMITS__MESSAGES_PER_10S", "5")]).await;
    let [ann] = cluster.clients(["ann"]).await;
    let room = cluster.group(&["ann"]).await;
    let from = super::head(&cluster, "ann", &room).await;
    for n in 0..5 {
        ann.say_as(&room, "within", &format!("c-{n}")).await;
    }
    let send = json!({ "conversationId": room, "clientId": "c-6", "content": "beyond" });
    let error = ann.is_refused("message:send", send.clone()).await;
    assert_eq!(error["code"], "rate_limited");
    assert!(error["retryAfterMs"].as_u64().unwrap() > 0, "{error}");
    assert_eq!(super::head(&cluster, "ann", &room).await, from + 5, "nothing was written");
    ann.emit("message:send", send).await;
    assert_eq!(ann.expect_event("error").await["code"], "rate_limited");
    ann.asks("sync", json!({})).await;
}

#[tokio::test]
async fn ten_times_beyond_the_rate_the_session_is_closed_and_comes_back() {
    let limits = [ON, ("ROOKERY__LIMITS__COMMANDS_PER_10S", "5"), ("ROOKERY__LIMITS__FRAMES_PER_S", "1000")];
    let cluster = Cluster::embedded_with(&limits).await;
    let [ann, bob] = cluster.clients(["ann", "bob"]).await;
    let asks = (0..60).map(|_| ann.try_emit_with_ack(json!(["sync", {}]), Duration::from_secs(10)));
    let answered = futures_util::future::join_all(asks).await;
    assert_eq!(answered.iter().filter(|ack| ack.as_ref().is_ok_and(|ack| ack[0]["ok"] == true)).count(), 5);
    ann.disconnected().await;
    ann.expect_event("session:ready").await;
    bob.asks("sync", json!({})).await;
}
