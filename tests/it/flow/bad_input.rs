//! Every field of every event, malformed in every way: a clear refusal, nothing written, nothing lost.

use serde_json::{Value, json};

use super::{everywhere, head};
use crate::support::client::Client;
use crate::support::cluster::Cluster;

/// What no field takes for an id or a text.
fn not_a_text() -> Vec<Value> {
    vec![json!(7), json!(true), json!([]), json!({}), json!("\u{0}"), json!("")]
}

/// What no field takes for a place in a feed.
fn not_a_seq() -> Vec<Value> {
    vec![json!(-1), json!(1.5), json!("1"), json!(true), json!([]), json!({}), json!(1e300)]
}

/// One field of an event.
struct Field {
    name: &'static str,
    /// Whether it must be there.
    is_required: bool,
    /// What it must not be.
    bad: Vec<Value>,
}

fn required(name: &'static str, bad: Vec<Value>) -> Field {
    Field { name, is_required: true, bad }
}

fn optional(name: &'static str, bad: Vec<Value>) -> Field {
    Field { name, is_required: false, bad }
}

/// Each event, a payload that is good, and its fields.
fn cases(room: &str) -> Vec<(&'static str, Value, Vec<Field>)> {
    let not_an_id = || [not_a_text(), vec![json!("x"), json!("0".repeat(40)), json!(format!("{room}0"))]].concat();
    let conversation = || required("conversationId", not_an_id());
    let client_ids = [not_a_text(), vec![json!("c".repeat(65)), json!("a\nb")]].concat();
    let contents = vec![json!(7), json!(true), json!([]), json!(""), json!("a\u{0}b"), json!({ "a": "\u{0}" })];
    let kinds = [not_a_text(), vec![json!("Text"), json!("a b"), json!("t".repeat(33))]].concat();
    let mentions = vec![json!("ann"), json!([7]), json!(["a b"]), json!(["me"]), json!({}), json!(vec!["ann"; 51])];
    let send = json!({ "conversationId": room, "clientId": "c-1", "content": "good" });
    let keys = vec![
        json!([]),
        json!("x"),
        json!({ "x": 1 }),
        json!({ room: -1 }),
        json!({ room: "1" }),
        json!({ room: 1.5 }),
        json!({ room: 1, room.to_uppercase(): 1 }),
        (0..501).map(|_| (uuid::Uuid::now_v7().to_string(), json!(1))).collect(),
    ];
    let receipt = json!({ "conversationId": room, "seq": 1 });
    vec![
        (
            "message:send",
            send,
            vec![
                conversation(),
                required("clientId", client_ids),
                required("content", contents),
                optional("type", kinds),
                optional("replyTo", [not_an_id(), vec![json!(uuid::Uuid::now_v7())]].concat()),
                optional("mentions", mentions),
                optional("attachments", vec![json!("a"), json!({}), json!([uuid::Uuid::now_v7()])]),
            ],
        ),
        ("conversation:join", json!({ "conversationId": room }), vec![conversation(), optional("cursor", not_a_seq())]),
        ("conversation:leave", json!({ "conversationId": room }), vec![conversation()]),
        ("receipt:read", receipt.clone(), vec![conversation(), required("seq", not_a_seq())]),
        ("receipt:delivered", receipt, vec![conversation(), required("seq", not_a_seq())]),
        (
            "sync",
            json!({}),
            vec![
                optional("cursors", keys),
                optional("personal", not_a_seq()),
                optional("all", vec![json!(1), json!("true"), json!([])]),
                optional("next", not_an_id()),
                optional("epoch", not_an_id()),
            ],
        ),
        ("auth:refresh", json!({ "token": "x" }), vec![required("token", vec![json!(7), json!([]), json!({})])]),
    ]
}

/// The refusal must have the code and begin with the field's name, so that a programmer sees what to mend.
async fn is_invalid(client: &Client, event: &str, payload: &Value, field: &str) {
    let error = client.is_refused(event, payload.clone()).await;
    assert_eq!(error["code"], "invalid", "{event} {payload}: {error}");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains(field), "{event} {payload}: {message:?} does not name {field}");
}

#[tokio::test]
async fn every_malformed_field_of_every_event_is_refused_by_name_and_nothing_is_written() {
    for cluster in everywhere().await {
        let [ann] = cluster.clients(["ann"]).await;
        let room = cluster.room([&ann]).await;
        let before = head(&cluster, "ann", &room).await;
        for (event, good, fields) in cases(&room) {
            for Field { name: field, is_required, bad } in fields {
                for bad in bad {
                    let mut payload = good.clone();
                    payload[field] = bad;
                    is_invalid(&ann, event, &payload, field).await;
                }
                if is_required {
                    let mut payload = good.clone();
                    payload.as_object_mut().unwrap().remove(field);
                    is_invalid(&ann, event, &payload, field).await;
                    payload[field] = Value::Null;
                    is_invalid(&ann, event, &payload, field).await;
                }
            }
        }
        assert_eq!(head(&cluster, "ann", &room).await, before, "nothing was written");
        ann.say(&room, "still here").await;
        ann.hears("still here").await;
        assert_eq!(ann.events("session:ready").len(), 1, "nobody was thrown out");
    }
}

#[tokio::test]
async fn arguments_that_are_no_single_object_are_refused() {
    let cluster = Cluster::embedded().await;
    let [ann] = cluster.clients(["ann"]).await;
    for event in ["message:send", "conversation:join", "conversation:leave", "receipt:read", "sync", "auth:refresh"] {
        for args in
            [json!([event]), json!([event, null]), json!([event, "x"]), json!([event, [1]]), json!([event, {}, {}])]
        {
            let ack = ann.emit_raw_with_ack(args.clone()).await;
            assert_eq!((&ack[0]["ok"], &ack[0]["error"]["code"]), (&json!(false), &json!("invalid")), "{args}");
        }
    }
}

#[tokio::test]
async fn an_event_that_does_not_exist_is_answered_invalid() {
    let cluster = Cluster::embedded().await;
    let [ann] = cluster.clients(["ann"]).await;
    for event in ["nonsense", "", "__proto__", "constructor", "toString", "message:New", "session:ready", "message:new"]
    {
        let ack = ann.emit_raw_with_ack(json!([event, {}])).await;
        assert_eq!(ack[0]["error"]["code"], "invalid", "{event:?}");
        ann.emit(event, json!({})).await;
        assert_eq!(ann.expect_event("error").await["code"], "invalid", "{event:?}");
    }
}

#[tokio::test]
async fn a_message_too_large_is_refused_and_the_largest_is_taken() {
    for cluster in everywhere().await {
        let [ann, bob] = cluster.clients(["ann", "bob"]).await;
        let room = cluster.room([&ann, &bob]).await;
        let send = |content: Value| json!({ "conversationId": room, "clientId": "c-1", "content": content });
        for large in [json!("x".repeat(65_537)), json!("é".repeat(32_769)), json!({ "a": "x".repeat(65_536) })] {
            assert_eq!(ann.is_refused("message:send", send(large)).await["code"], "too_large");
        }
        let largest = "é".repeat(32_768);
        ann.asks("message:send", send(json!(largest))).await;
        bob.hears(&largest).await;
    }
}

#[tokio::test]
async fn the_neighbours_of_a_bad_message_are_unharmed() {
    for cluster in everywhere().await {
        let [ann, bob] = cluster.clients(["ann", "bob"]).await;
        let room = cluster.room([&ann, &bob]).await;
        let nobody = uuid::Uuid::now_v7();
        let sends = (0..60).map(|n| {
            let mut send = json!({ "conversationId": room, "clientId": format!("c-{n}"), "content": format!("{n}") });
            match n % 3 {
                0 => {}
                1 => send["replyTo"] = json!(nobody),
                _ => send["conversationId"] = json!(nobody),
            }
            ann.emit_with_ack("message:send", send)
        });
        let acks = futures_util::future::join_all(sends).await;
        for (n, ack) in acks.iter().enumerate() {
            let expected = [Value::Null, json!("invalid"), json!("not_found")][n % 3].clone();
            assert_eq!(ack["error"]["code"], expected, "{n}: {ack}");
        }
        let heard = super::seen(&bob, "message:new", 20).await;
        let contents: Vec<&str> = heard.iter().map(|event| event["message"]["content"].as_str().unwrap()).collect();
        assert_eq!(contents, (0..60).step_by(3).map(|n| n.to_string()).collect::<Vec<_>>());
    }
}
