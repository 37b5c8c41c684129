//! Making, showing, listing and changing conversations.

use reqwest::StatusCode;
use serde_json::json;

use crate::support::cluster::Cluster;

#[tokio::test]
async fn a_group_is_made_shown_listed_and_changed() {
    let cluster = Cluster::embedded().await;
    cluster.group(&["bob"]).await;
    let ann = cluster.rest("ann");
    let made = ann.post("/conversations", &json!({"kind": "group", "title": "Ducks", "memberIds": ["bob"]})).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let id = made.ok()["id"].as_str().unwrap().to_owned();

    let shown = ann.get(&format!("/conversations/{id}")).await.ok();
    assert_eq!(shown["title"], "Ducks");
    assert_eq!(shown["membership"]["role"], "owner");
    let members: Vec<_> = shown["members"].as_array().unwrap().iter().map(|m| (&m["userId"], &m["role"])).collect();
    assert_eq!(members, [(&json!("ann"), &json!("owner")), (&json!("bob"), &json!("member"))]);

    let changed = ann.patch(&format!("/conversations/{id}"), &json!({"title": "Geese"})).await.ok();
    assert_eq!(changed["title"], "Geese");
    let listed = cluster.rest("bob").get("/conversations").await.ok();
    assert!(listed["items"].as_array().unwrap().iter().any(|c| c["id"] == *id && c["title"] == "Geese"));

    let events = ann.get(&format!("/conversations/{id}/events")).await.ok();
    assert_eq!(events["items"][0]["event"], "conversation:updated");
    assert_eq!(events["items"][0]["conversation"]["title"], "Geese");
}

#[tokio::test]
async fn a_direct_is_one_per_pair_whoever_asks_and_however_often() {
    let cluster = Cluster::embedded().await;
    cluster.group(&["ann", "bob"]).await;
    let ask = |other: &str| json!({"kind": "direct", "memberIds": [other]});
    let first = cluster.rest("ann").post("/conversations", &ask("bob")).await;
    assert_eq!(first.status, StatusCode::CREATED);
    let (ann, bob) = (cluster.rest("ann"), cluster.rest("bob"));
    let (ask_bob, ask_ann) = (ask("bob"), ask("ann"));
    let asked = tokio::join!(ann.post("/conversations", &ask_bob), bob.post("/conversations", &ask_ann));
    let id = first.ok()["id"].clone();
    for again in [asked.0, asked.1] {
        assert_eq!(again.status, StatusCode::OK);
        assert_eq!(again.ok()["id"], id);
    }
}

#[tokio::test]
async fn a_retried_creation_answers_the_first_result() {
    let cluster = Cluster::embedded().await;
    cluster.group(&["bob"]).await;
    let ask = json!({"kind": "group", "memberIds": ["bob"], "clientId": "once"});
    let ann = cluster.rest("ann");
    let first = ann.post("/conversations", &ask).await.ok();
    let second = ann.post("/conversations", &ask).await;
    assert_eq!(second.status, StatusCode::OK);
    assert_eq!(second.ok()["id"], first["id"]);
}

#[tokio::test]
async fn unread_counts_others_messages_after_the_read_watermark() {
    let cluster = Cluster::embedded().await;
    let id = cluster.group(&["ann", "bob"]).await;
    let (ann, bob) = (cluster.rest("ann"), cluster.rest("bob"));
    for n in 1..=3 {
        ann.post(&format!("/conversations/{id}/messages"), &json!({"content": format!("{n}")})).await.ok();
    }
    bob.post(&format!("/conversations/{id}/messages"), &json!({"content": "mine"})).await.ok();
    ann.post(&format!("/conversations/{id}/messages"), &json!({"content": "5"})).await.ok();

    let seen = bob.get(&format!("/conversations/{id}")).await.ok();
    assert_eq!((&seen["unreadCount"], &seen["atSeq"]), (&json!(1), &json!(5)), "sending reads what was before");
    assert_eq!(seen["lastMessage"]["content"], "5");
    let marked = bob.post(&format!("/conversations/{id}/read"), &json!({"seq": 99})).await.ok();
    assert_eq!(marked, json!({"deliveredSeq": 5, "readSeq": 5}), "beyond the head is the head");
    let back = bob.post(&format!("/conversations/{id}/read"), &json!({"seq": 2})).await.ok();
    assert_eq!(back["readSeq"], 5, "backwards has no effect");
    assert_eq!(bob.get(&format!("/conversations/{id}")).await.ok()["unreadCount"], 0);
}
