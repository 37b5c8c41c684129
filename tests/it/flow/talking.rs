//! Sending and hearing.

use serde_json::json;

use super::{everywhere, say_many, seen, seqs};
use crate::support::cluster::Cluster;

#[tokio::test]
async fn a_message_reaches_everybody_who_joined_the_sender_included() {
    for cluster in everywhere().await {
        let [ann, bob, cyd] = cluster.clients(["ann", "bob", "cyd"]).await;
        let room = cluster.room([&ann, &bob, &cyd]).await;
        let message = ann.say(&room, "hi").await;
        for client in [&ann, &bob, &cyd] {
            let heard = client.hears("hi").await;
            assert_eq!(heard, json!({ "conversationId": room, "seq": message["seq"], "message": message }));
        }
        assert_eq!(message["senderId"], "ann");
        assert_eq!(message["type"], "text");
        for empty in ["attachments", "mentions", "reactions"] {
            assert_eq!(message[empty], json!([]));
        }
        for none in ["replyTo", "pinnedAt", "editedAt", "deletedAt"] {
            assert!(message.get(none).unwrap().is_null(), "{none} of {message}");
        }
    }
}

#[tokio::test]
async fn content_may_be_an_object_that_arrives_to_the_letter() {
    for cluster in everywhere().await {
        let [ann, bob] = cluster.clients(["ann", "bob"]).await;
        let room = cluster.room([&ann, &bob]).await;
        let content = json!({ "text": "look", "nested": { "a": [1, 2.5, null, "\u{1F426}"] } });
        let send = json!({ "conversationId": room, "clientId": "c-1", "content": content, "type": "card" });
        ann.asks("message:send", send).await;
        let heard = bob.expect_event("message:new").await;
        assert_eq!((&heard["message"]["content"], &heard["message"]["type"]), (&content, &json!("card")));
    }
}

#[tokio::test]
async fn a_reply_shows_what_it_answers_and_mentions_only_members() {
    let cluster = Cluster::embedded().await;
    let [ann, bob] = cluster.clients(["ann", "bob"]).await;
    let room = cluster.room([&ann, &bob]).await;
    let first = ann.say(&room, "first").await;
    let reply = json!({
        "conversationId": room, "clientId": "c-1", "content": "second", "replyTo": first["id"], "mentions": ["ann", "zoe", "ann"],
    });
    let ack = bob.asks("message:send", reply).await;
    assert_eq!(ack["message"]["replyTo"], json!({ "id": first["id"], "senderId": "ann", "excerpt": "first" }));
    assert_eq!(ack["message"]["mentions"], json!(["ann"]));
}

#[tokio::test]
async fn a_hundred_messages_sent_without_waiting_arrive_everywhere_in_the_order_of_sending() {
    for cluster in everywhere().await {
        let [ann, bob, cyd] = cluster.clients(["ann", "bob", "cyd"]).await;
        let room = cluster.room([&ann, &bob, &cyd]).await;
        let acks = say_many(&ann, &room, 100).await;
        let acked: Vec<u64> = acks.iter().map(|ack| ack["message"]["seq"].as_u64().unwrap()).collect();
        assert!(acked.windows(2).all(|pair| pair[1] == pair[0] + 1), "{acked:?}");
        for client in [&ann, &bob, &cyd] {
            let events = seen(client, "message:new", 100).await;
            assert_eq!(seqs(&events), acked, "at {}", client.user());
            for (n, event) in events.iter().enumerate() {
                assert_eq!(event["message"]["content"], format!("text {n}"));
            }
        }
    }
}

#[tokio::test]
async fn a_send_is_tried_again_on_any_node_and_is_there_once() {
    for cluster in everywhere().await {
        let [ann, bob] = cluster.clients(["ann", "bob"]).await;
        let room = cluster.room([&ann, &bob]).await;
        let first = ann.say_as(&room, "once", "c-1").await;
        let elsewhere = cluster.client_on("ann", cluster.nodes.len() - 1).await;
        let second = elsewhere.say_as(&room, "once again", "c-1").await;
        assert_eq!((&first["duplicate"], &second["duplicate"]), (&json!(false), &json!(true)));
        assert_eq!(first["message"], second["message"]);
        let next = ann.say(&room, "next").await;
        bob.hears("next").await;
        assert_eq!(bob.events("message:new").len(), 2);
        assert_eq!(next["seq"].as_u64().unwrap(), first["message"]["seq"].as_u64().unwrap() + 1);
    }
}

#[tokio::test]
async fn without_an_ack_a_message_is_sent_all_the_same() {
    let cluster = Cluster::embedded().await;
    let [ann, bob] = cluster.clients(["ann", "bob"]).await;
    let room = cluster.room([&ann, &bob]).await;
    ann.emit("message:send", json!({ "conversationId": room, "clientId": "c-1", "content": "quiet" })).await;
    bob.hears("quiet").await;
    assert!(ann.events("error").is_empty());
}

#[tokio::test]
async fn who_has_not_joined_hears_nothing_and_may_send() {
    let cluster = Cluster::embedded().await;
    let [ann, bob, cyd] = cluster.clients(["ann", "bob", "cyd"]).await;
    let room = cluster.group(&["ann", "bob"]).await;
    bob.join(&room).await;
    ann.say(&room, "from outside").await;
    bob.hears("from outside").await;
    assert!(ann.events("message:new").is_empty());
    let refused =
        cyd.is_refused("message:send", json!({ "conversationId": room, "clientId": "c", "content": "x" })).await;
    assert_eq!(refused["code"], "not_found");
}

#[tokio::test]
async fn a_defect_under_way_is_answered_internal_and_costs_nothing_else() {
    let cluster = Cluster::embedded_with(&[("FAILPOINTS", "gateway::reply=1*panic->off")]).await;
    let [ann] = cluster.clients(["ann"]).await;
    let room = cluster.room([&ann]).await;
    let send = json!({ "conversationId": room, "clientId": "c-1", "content": "hi" });
    assert_eq!(ann.is_refused("message:send", send.clone()).await["code"], "internal");
    let retried = ann.asks("message:send", send).await;
    assert_eq!(retried["duplicate"], true, "it had been written; the answer alone was lost");
    assert_eq!(super::seen(&ann, "message:new", 1).await.len(), 1);
}
