//! What trusted backends may do.

use reqwest::StatusCode;
use serde_json::json;

use crate::support::cluster::Cluster;

#[tokio::test]
async fn users_are_created_and_changed_field_by_field() {
    let cluster = Cluster::embedded().await;
    let service = cluster.service();
    let put = json!({"users": [{"id": "ann", "name": "Ann"}, {"id": "bob"}]});
    let items = service.post("/service/users", &put).await.ok()["items"].clone();
    assert_eq!(
        (&items[0]["name"], &items[1]["name"]),
        (&json!("Ann"), &json!("bob")),
        "the id where no name was given"
    );
    let change = json!({"users": [{"id": "ann", "avatar": "https://example.org/a.png"}]});
    let items = service.post("/service/users", &change).await.ok()["items"].clone();
    assert_eq!((&items[0]["name"], &items[0]["avatar"]), (&json!("Ann"), &json!("https://example.org/a.png")));
    assert_eq!(cluster.rest("bob").get("/users/ann").await.ok()["name"], "Ann");
    assert_eq!(cluster.rest("bob").get("/users/nobody").await.code(), "not_found");
}

#[tokio::test]
async fn conversations_are_created_and_completed_under_a_given_id() {
    let cluster = Cluster::embedded().await;
    let service = cluster.service();
    service.post("/service/users", &json!({"users": [{"id": "ann"}, {"id": "bob"}, {"id": "eve"}]})).await.ok();
    let id = "00000000-0000-4000-9000-000000000001";
    let put = |title: &str, members: &[&str]| json!({"conversations": [{"id": id, "kind": "group", "title": title, "ownerId": "ann", "memberIds": members}]});
    let made = service.post("/service/conversations", &put("one", &["bob"])).await.ok();
    assert_eq!(made["items"][0]["id"], id);
    let again = service.post("/service/conversations", &put("two", &["bob", "eve"])).await.ok();
    assert_eq!(again["items"][0]["title"], "two");
    let shown = cluster.rest("eve").get(&format!("/conversations/{id}")).await.ok();
    assert_eq!(shown["members"].as_array().unwrap().len(), 3);

    let unknown = json!({"conversations": [{"kind": "group", "memberIds": ["ann", "nobody"]}]});
    assert_eq!(service.post("/service/conversations", &unknown).await.code(), "invalid");
}

#[tokio::test]
async fn a_backend_sends_and_reads_in_somebodys_name_but_only_a_members() {
    let cluster = Cluster::embedded().await;
    let id = cluster.group(&["ann", "bob"]).await;
    let service = cluster.service();
    let path = format!("/service/conversations/{id}");
    let sent = service.post(&format!("{path}/messages"), &json!({"senderId": "ann", "content": "hi"})).await;
    assert_eq!(sent.status, StatusCode::CREATED);
    assert_eq!(sent.ok()["message"]["senderId"], "ann");
    assert_eq!(service.post(&format!("{path}/read"), &json!({"userId": "bob", "seq": 1})).await.ok()["readSeq"], 1);
    let marked = service.post(&format!("{path}/delivered"), &json!({"userId": "ann", "seq": 1})).await.ok();
    assert_eq!(marked["deliveredSeq"], 1);
    let stranger = json!({"senderId": "eve", "content": "hi"});
    assert_eq!(service.post(&format!("{path}/messages"), &stranger).await.code(), "not_found");
}

#[tokio::test]
async fn a_users_token_is_no_service_key_and_a_service_key_is_no_token() {
    let cluster = Cluster::embedded().await;
    let body = json!({"users": []});
    assert_eq!(cluster.rest("ann").post("/service/users", &body).await.code(), "unauthorized");
    assert_eq!(cluster.service().get("/conversations").await.code(), "unauthorized");
}
