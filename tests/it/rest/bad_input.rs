//! Bad input on every field of every route: a clear error with a code, nothing written, nobody else harmed.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::cluster::Cluster;
use crate::support::rest::Rest;

/// What is wrong with it, and what must come back.
struct Bad {
    method: Method,
    path: String,
    body: Value,
    code: &'static str,
}

fn bad(method: Method, path: &str, body: Value, code: &'static str) -> Bad {
    Bad { method, path: path.to_owned(), body, code }
}

async fn all_are_refused(caller: &Rest, table: Vec<Bad>) {
    for Bad { method, path, body, code } in table {
        let body = (method != Method::GET).then_some(&body);
        let answer = caller.try_call(method.clone(), &path, body).await.unwrap();
        assert_eq!(answer.code(), code, "{method} {path} {body:?}");
        assert!(answer.body["error"]["message"].as_str().is_some_and(|text| !text.is_empty()), "{method} {path}");
    }
}

#[tokio::test]
async fn a_malformed_send_is_refused_and_writes_nothing() {
    let cluster = Cluster::embedded().await;
    let id = cluster.group(&["ann"]).await;
    let path = format!("/conversations/{id}/messages");
    let send = |body: Value, code| bad(Method::POST, &path, body, code);
    let text = |bytes: usize| "x".repeat(bytes);
    let table = vec![
        send(json!({}), "invalid"),
        send(json!([]), "invalid"),
        send(json!({"content": ""}), "invalid"),
        send(json!({"content": 5}), "invalid"),
        send(json!({"content": null}), "invalid"),
        send(json!({"content": ["a"]}), "invalid"),
        send(json!({"content": "a\0b"}), "invalid"),
        send(json!({"content": {"a": "\0"}}), "invalid"),
        send(json!({"content": text(65_537)}), "too_large"),
        send(json!({"content": text(1 << 21)}), "too_large"),
        send(json!({"content": "a", "clientId": ""}), "invalid"),
        send(json!({"content": "a", "clientId": text(65)}), "invalid"),
        send(json!({"content": "a", "clientId": "a\nb"}), "invalid"),
        send(json!({"content": "a", "clientId": 7}), "invalid"),
        send(json!({"content": "a", "type": "NO"}), "invalid"),
        send(json!({"content": "a", "type": 1}), "invalid"),
        send(json!({"content": "a", "replyTo": "x"}), "invalid"),
        send(json!({"content": "a", "replyTo": "00000000-0000-4000-8000-000000000000"}), "invalid"),
        send(json!({"content": "a", "mentions": "ann"}), "invalid"),
        send(json!({"content": "a", "mentions": ["a b"]}), "invalid"),
        send(json!({"content": "a", "mentions": vec!["ann"; 51]}), "invalid"),
        bad(Method::POST, "/conversations/x/messages", json!({"content": "a"}), "not_found"),
        bad(
            Method::POST,
            "/conversations/00000000-0000-4000-8000-000000000000/messages",
            json!({"content": "a"}),
            "not_found",
        ),
    ];
    let ann = cluster.rest("ann");
    all_are_refused(&ann, table).await;
    assert_eq!(ann.get(&format!("/conversations/{id}/events")).await.ok()["head"], 0);
    ann.post(&path, &json!({"content": "still here"})).await.ok();
}

#[tokio::test]
async fn a_malformed_conversation_is_refused() {
    let cluster = Cluster::embedded().await;
    let id = cluster.group(&["ann", "bob"]).await;
    let create = |body: Value| bad(Method::POST, "/conversations", body, "invalid");
    let patch = |body: Value| bad(Method::PATCH, &format!("/conversations/{id}"), body, "invalid");
    let table = vec![
        create(json!({})),
        create(json!({"kind": "party"})),
        create(json!({"kind": "direct", "memberIds": []})),
        create(json!({"kind": "direct", "memberIds": ["ann"]})),
        create(json!({"kind": "direct", "memberIds": ["bob", "eve"]})),
        create(json!({"kind": "group", "memberIds": ["nobody"]})),
        create(json!({"kind": "group", "memberIds": ["a b"]})),
        create(json!({"kind": "group", "memberIds": "bob"})),
        create(json!({"kind": "group", "title": ""})),
        create(json!({"kind": "group", "title": "x".repeat(201)})),
        create(json!({"kind": "group", "title": "a\0"})),
        create(json!({"kind": "group", "clientId": ""})),
        create(json!({"kind": "group", "memberIds": (0..1_001).map(|n| format!("u{n}")).collect::<Vec<_>>()})),
        patch(json!({"title": 5})),
        patch(json!({"title": ""})),
        patch(json!({"avatar": "javascript:alert(1)"})),
        patch(json!({"retentionDays": 0})),
        patch(json!({"retentionDays": 1.5})),
        patch(json!({"retentionDays": -1})),
    ];
    let before = cluster.rest("ann").get("/conversations").await.ok()["items"].as_array().unwrap().len();
    all_are_refused(&cluster.rest("ann"), table).await;
    let after = cluster.rest("ann").get("/conversations").await.ok()["items"].as_array().unwrap().len();
    assert_eq!(before, after);
}

#[tokio::test]
async fn malformed_members_places_and_pages_are_refused() {
    let cluster = Cluster::embedded().await;
    cluster.group(&["ann", "bob"]).await;
    let ann = cluster.rest("ann");
    let made = ann.post("/conversations", &json!({"kind": "group", "memberIds": ["bob"]})).await.ok();
    let id = made["id"].as_str().unwrap();
    let at = |rest: &str| format!("/conversations/{id}{rest}");
    let mut table = vec![
        bad(Method::POST, &at("/members"), json!({}), "invalid"),
        bad(Method::POST, &at("/members"), json!({"userId": "nobody"}), "invalid"),
        bad(Method::POST, &at("/members"), json!({"userId": "bob", "role": "king"}), "invalid"),
        bad(Method::PATCH, &at("/members/bob"), json!({}), "invalid"),
        bad(Method::PATCH, &at("/members/bob"), json!({"role": 1}), "invalid"),
        bad(Method::PATCH, &at("/members/nobody"), json!({"role": "admin"}), "not_found"),
        bad(Method::DELETE, &at("/members/nobody"), json!({}), "not_found"),
        bad(Method::DELETE, &at("/members/a%20b"), json!({}), "not_found"),
    ];
    for route in ["/read", "/delivered"] {
        for body in [
            json!({}),
            json!({"seq": -1}),
            json!({"seq": 1.5}),
            json!({"seq": "1"}),
            json!({"messageId": "x"}),
            json!({"seq": 1, "messageId": "00000000-0000-4000-8000-000000000000"}),
        ] {
            table.push(bad(Method::POST, &at(route), body, "invalid"));
        }
        let unknown = json!({"messageId": "00000000-0000-4000-8000-000000000000"});
        table.push(bad(Method::POST, &at(route), unknown, "not_found"));
    }
    for query in ["?limit=0", "?limit=101", "?limit=x", "?before=-1", "?before=1&after=1", "?cursor=x", "?cursor=up:1"]
    {
        table.push(bad(Method::GET, &at(&format!("/messages{query}")), json!({}), "invalid"));
    }
    for query in ["?limit=0", "?limit=101", "?after=-1", "?after=x", "?after=1&cursor=1"] {
        table.push(bad(Method::GET, &at(&format!("/events{query}")), json!({}), "invalid"));
    }
    for path in [
        at("/members?limit=0"),
        at("/members?cursor=%00"),
        "/conversations?limit=0".into(),
        "/conversations?cursor=%27".into(),
    ] {
        table.push(bad(Method::GET, &path, json!({}), "invalid"));
    }
    all_are_refused(&ann, table).await;
}

#[tokio::test]
async fn malformed_service_calls_are_refused_whole() {
    let cluster = Cluster::embedded().await;
    let id = cluster.group(&["ann"]).await;
    let post = |path: &str, body: Value| bad(Method::POST, &format!("/service{path}"), body, "invalid");
    let table = vec![
        post("/users", json!({})),
        post("/users", json!({"users": [{"id": "a b"}]})),
        post("/users", json!({"users": [{"id": "new"}, {"id": "me"}]})),
        post("/users", json!({"users": [{"id": "new", "name": ""}]})),
        post("/users", json!({"users": [{"id": "new", "name": "a\0"}]})),
        post("/users", json!({"users": [{"id": "new", "avatar": "javascript:x"}]})),
        post("/users", json!({"users": (0..1_001).map(|n| json!({"id": format!("u{n}")})).collect::<Vec<_>>()})),
        post("/conversations", json!({})),
        post("/conversations", json!({"conversations": [{"kind": "group"}]})),
        post("/conversations", json!({"conversations": [{"id": "1", "kind": "group", "memberIds": []}]})),
        post(&format!("/conversations/{id}/messages"), json!({"content": "a"})),
        post(&format!("/conversations/{id}/messages"), json!({"content": "a", "senderId": "a b"})),
        post(&format!("/conversations/{id}/read"), json!({"seq": 1})),
        post(&format!("/conversations/{id}/read"), json!({"userId": "ann"})),
    ];
    all_are_refused(&cluster.service(), table).await;
    assert_eq!(cluster.rest("ann").get("/users/new").await.code(), "not_found", "a refused call writes nothing");
}

#[tokio::test]
async fn who_has_no_valid_token_is_unauthorized_everywhere() {
    let cluster = Cluster::embedded().await;
    for bearer in ["", "x", "a.b.c", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4iLCJleHAiOjk5OTk5OTk5OTl9."] {
        let nobody = Rest::new(&cluster.nodes[0].url(), bearer);
        for path in ["/users/me", "/conversations", "/conversations/00000000-0000-4000-8000-000000000000/messages"] {
            assert_eq!(nobody.get(path).await.code(), "unauthorized", "{path} {bearer}");
        }
        assert_eq!(nobody.post("/service/users", &json!({"users": []})).await.code(), "unauthorized");
    }
    let ann = cluster.rest("ann");
    assert_eq!(ann.get("/no/such/route").await.code(), "not_found");
    assert_eq!(ann.put("/conversations").await.code(), "not_found", "a method that a route does not have");
}
