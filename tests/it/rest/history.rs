//! Sending, reading back, and reading the raw feed.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::cluster::Cluster;

fn contents(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|message| message["content"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_send_is_answered_with_the_message_and_its_retry_with_the_same() {
    let cluster = Cluster::embedded().await;
    let id = cluster.group(&["ann", "bob"]).await;
    let ann = cluster.rest("ann");
    let path = format!("/conversations/{id}/messages");
    let ask = json!({"content": "hi @bob", "clientId": "c-1", "type": "text"});
    let first = ann.post(&path, &ask).await;
    assert_eq!(first.status, StatusCode::CREATED);
    let first = first.ok();
    assert_eq!(first["duplicate"], false);
    let message = &first["message"];
    for (field, value) in [("content", "hi @bob"), ("clientId", "c-1"), ("type", "text"), ("senderId", "ann")] {
        assert_eq!(message[field], value, "{field}");
    }
    assert_eq!(message["seq"], 1);

    let other_words = json!({"content": "other words", "clientId": "c-1"});
    let second = ann.post(&path, &other_words).await.ok();
    assert_eq!(second["duplicate"], true);
    assert_eq!(second["message"], *message);
    let bobs = cluster.rest("bob").post(&path, &json!({"content": "mine", "clientId": "c-1"})).await.ok();
    assert_eq!(bobs["duplicate"], false, "a clientId is the sender's own");
}

#[tokio::test]
async fn an_object_is_kept_to_the_letter() {
    let cluster = Cluster::embedded().await;
    let id = cluster.group(&["ann"]).await;
    let content = json!({"text": "hi", "n": [1, 2.5, null, {"deep": "\u{1F426}"}]});
    let sent =
        cluster.rest("ann").post(&format!("/conversations/{id}/messages"), &json!({"content": content})).await.ok();
    assert_eq!(sent["message"]["content"], content);
    let page = cluster.rest("ann").get(&format!("/conversations/{id}/messages")).await.ok();
    assert_eq!(page["items"][0]["content"], content);
}

#[tokio::test]
async fn history_is_paged_both_ways_without_a_hole() {
    let cluster = Cluster::embedded().await;
    let id = cluster.group(&["ann"]).await;
    let ann = cluster.rest("ann");
    let path = format!("/conversations/{id}/messages");
    for n in 1..=5 {
        ann.post(&path, &json!({"content": n.to_string()})).await.ok();
    }
    let newest = ann.get(&format!("{path}?limit=2")).await.ok();
    assert_eq!(contents(&newest), ["5", "4"]);
    let cursor = newest["nextCursor"].as_str().unwrap();
    assert_eq!(contents(&ann.get(&format!("{path}?limit=2&cursor={cursor}")).await.ok()), ["3", "2"]);
    assert_eq!(contents(&ann.get(&format!("{path}?before=3")).await.ok()), ["2", "1"]);
    let oldest = ann.get(&format!("{path}?after=0&limit=3")).await.ok();
    assert_eq!(contents(&oldest), ["1", "2", "3"]);
    let cursor = oldest["nextCursor"].as_str().unwrap();
    let rest = ann.get(&format!("{path}?limit=3&cursor={cursor}")).await.ok();
    assert_eq!((contents(&rest), &rest["nextCursor"]), (vec!["4", "5"], &Value::Null));
}

#[tokio::test]
async fn the_raw_feed_is_read_in_pages_from_any_place() {
    let cluster = Cluster::embedded().await;
    let id = cluster.group(&["ann"]).await;
    let ann = cluster.rest("ann");
    for n in 1..=3 {
        ann.post(&format!("/conversations/{id}/messages"), &json!({"content": n.to_string()})).await.ok();
    }
    let page = ann.get(&format!("/conversations/{id}/events?after=1&limit=1")).await.ok();
    assert_eq!((&page["head"], &page["nextCursor"]), (&json!(3), &json!("2")));
    let event = &page["items"][0];
    assert_eq!(
        (&event["event"], &event["seq"], &event["conversationId"]),
        (&json!("message:new"), &json!(2), &json!(id))
    );
    assert_eq!(event["message"]["content"], "2");
    let end = ann.get(&format!("/conversations/{id}/events?cursor=2")).await.ok();
    assert_eq!(end["nextCursor"], Value::Null);
}

#[tokio::test]
async fn a_reply_shows_what_it_answers() {
    let cluster = Cluster::embedded().await;
    let id = cluster.group(&["ann", "bob"]).await;
    let path = format!("/conversations/{id}/messages");
    let first = cluster.rest("ann").post(&path, &json!({"content": "to be or not"})).await.ok();
    let reply = json!({"content": "be", "replyTo": first["message"]["id"]});
    let answer = cluster.rest("bob").post(&path, &reply).await.ok();
    let shown = &answer["message"]["replyTo"];
    assert_eq!((&shown["id"], &shown["senderId"]), (&first["message"]["id"], &json!("ann")));
    assert_eq!(shown["excerpt"], "to be or not");
}
