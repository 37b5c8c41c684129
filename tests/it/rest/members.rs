//! Who is in a conversation, and what their roles allow.

use reqwest::StatusCode;
use serde_json::json;

use crate::support::cluster::Cluster;

#[tokio::test]
async fn members_come_and_go_and_each_change_is_an_event() {
    let cluster = Cluster::embedded().await;
    cluster.group(&["ann", "bob", "eve"]).await;
    let ann = cluster.rest("ann");
    let id = ann.post("/conversations", &json!({"kind": "group", "memberIds": ["bob"]})).await.ok()["id"].clone();
    let members = format!("/conversations/{}/members", id.as_str().unwrap());

    let added = ann.post(&members, &json!({"userId": "eve"})).await;
    assert_eq!(added.status, StatusCode::CREATED);
    assert_eq!(added.ok()["role"], "member");
    let again = ann.post(&members, &json!({"userId": "eve"})).await;
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(ann.patch(&format!("{members}/eve"), &json!({"role": "admin"})).await.ok()["role"], "admin");
    assert_eq!(ann.delete(&format!("{members}/bob")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(cluster.rest("eve").delete(&format!("{members}/me")).await.status, StatusCode::NO_CONTENT);

    let events = ann.get(&format!("/conversations/{}/events", id.as_str().unwrap())).await.ok();
    let told: Vec<_> =
        events["items"].as_array().unwrap().iter().map(|e| (&e["seq"], &e["event"], &e["userId"])).collect();
    let expected = [
        (json!(1), json!("member:added"), json!("eve")),
        (json!(2), json!("member:role"), json!("eve")),
        (json!(3), json!("member:removed"), json!("bob")),
        (json!(4), json!("member:removed"), json!("eve")),
    ];
    let expected: Vec<_> = expected.iter().map(|(seq, event, user)| (seq, event, user)).collect();
    assert_eq!(told, expected);
}

#[tokio::test]
async fn what_a_role_does_not_allow_is_forbidden_and_what_is_not_ones_own_is_not_found() {
    let cluster = Cluster::embedded().await;
    cluster.group(&["ann", "bob", "eve"]).await;
    let ann = cluster.rest("ann");
    let id = ann.post("/conversations", &json!({"kind": "channel", "memberIds": ["bob"]})).await.ok()["id"].clone();
    let path = |rest: &str| format!("/conversations/{}{rest}", id.as_str().unwrap());
    let (bob, eve) = (cluster.rest("bob"), cluster.rest("eve"));

    assert_eq!(bob.post(&path("/members"), &json!({"userId": "eve"})).await.code(), "forbidden");
    assert_eq!(bob.post(&path("/messages"), &json!({"content": "hi"})).await.code(), "forbidden");
    assert_eq!(bob.patch(&path(""), &json!({"title": "mine"})).await.code(), "forbidden");
    assert_eq!(bob.delete(&path("/members/ann")).await.code(), "forbidden");
    for refused in [
        eve.get(&path("")).await,
        eve.get(&path("/messages")).await,
        eve.get(&path("/events")).await,
        eve.get(&path("/members")).await,
        eve.post(&path("/messages"), &json!({"content": "hi"})).await,
        eve.post(&path("/members"), &json!({"userId": "eve"})).await,
        eve.patch(&path(""), &json!({"title": "mine"})).await,
        eve.post(&path("/read"), &json!({"seq": 0})).await,
        eve.delete(&path("/members/bob")).await,
    ] {
        assert_eq!(refused.code(), "not_found");
    }
    assert_eq!(ann.get(&path("/events")).await.ok()["head"], 0, "nothing was written");
}

#[tokio::test]
async fn an_ownership_is_never_orphaned() {
    let cluster = Cluster::embedded().await;
    cluster.group(&["ann", "bob", "eve"]).await;
    let ann = cluster.rest("ann");
    let id =
        ann.post("/conversations", &json!({"kind": "group", "memberIds": ["bob", "eve"]})).await.ok()["id"].clone();
    let members = format!("/conversations/{}/members", id.as_str().unwrap());
    ann.patch(&format!("{members}/eve"), &json!({"role": "admin"})).await.ok();
    assert_eq!(ann.patch(&format!("{members}/ann"), &json!({"role": "member"})).await.code(), "conflict");
    assert_eq!(ann.delete(&format!("{members}/me")).await.status, StatusCode::NO_CONTENT);
    let left = cluster.rest("bob").get(&members).await.ok();
    let eve = left["items"].as_array().unwrap().iter().find(|m| m["userId"] == "eve").unwrap().clone();
    assert_eq!(eve["role"], "owner", "the oldest admin follows");
}
