//! How far everybody has come.

use serde_json::{Value, json};

use super::everywhere;

#[tokio::test]
async fn reading_is_told_to_the_others_and_kept() {
    for cluster in everywhere().await {
        let [ann, bob] = cluster.clients(["ann", "bob"]).await;
        let room = cluster.room([&ann, &bob]).await;
        let seq = ann.say(&room, "read me").await["seq"].as_u64().unwrap();
        bob.asks("receipt:delivered", json!({ "conversationId": room, "seq": seq })).await;
        let signal = |delivered: u64, read: u64| {
            move |told: &Value| told["userId"] == "bob" && told["deliveredSeq"] == delivered && told["readSeq"] == read
        };
        let told = ann.expect_event_where("receipt", signal(seq, 0)).await;
        assert_eq!(told["conversationId"], json!(room));
        bob.asks("receipt:read", json!({ "conversationId": room, "seq": seq })).await;
        ann.expect_event_where("receipt", signal(seq, seq)).await;
        let joined = cluster.client_on("ann", 0).await.join(&room).await;
        let watermarks = joined["watermarks"].as_array().unwrap();
        let of = |user: &str| watermarks.iter().find(|w| w["userId"] == user).unwrap().clone();
        assert_eq!(of("bob"), json!({ "userId": "bob", "deliveredSeq": seq, "readSeq": seq }));
        assert_eq!(of("ann")["readSeq"], json!(seq), "sending has moved the sender's own");
    }
}

#[tokio::test]
async fn a_receipt_beyond_the_head_means_the_head_and_backwards_means_nothing() {
    for cluster in everywhere().await {
        let [ann, bob] = cluster.clients(["ann", "bob"]).await;
        let room = cluster.room([&ann, &bob]).await;
        ann.say(&room, "one").await;
        let head = ann.say(&room, "two").await["seq"].as_u64().unwrap();
        for far in [json!(head + 1_000), json!(9_007_199_254_740_991_u64), json!(1), json!(0)] {
            let ack = bob.asks("receipt:read", json!({ "conversationId": room, "seq": far })).await;
            assert_eq!((&ack["readSeq"], &ack["deliveredSeq"]), (&json!(head), &json!(head)), "after {far}");
        }
    }
}
