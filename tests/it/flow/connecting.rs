//! Coming in, or not.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::Connection;
use crate::support::cluster::Cluster;
use crate::support::token::{signed, token, token_for};

#[tokio::test]
async fn the_first_thing_a_session_hears_is_who_and_where_it_is() {
    let cluster = Cluster::embedded().await;
    for transports in [&["polling", "websocket"][..], &["polling"], &["websocket"]] {
        let connection = Connection::to(&cluster.urls()[0]).token(&token("ann")).transports(transports);
        let ann = cluster.client("ann", connection).await;
        let ready = ann.expect_event("session:ready").await;
        assert_eq!((&ready["userId"], &ready["node"]), (&json!("ann"), &json!("node-1")));
        for field in ["sessionId", "epoch", "serverTime"] {
            assert!(ready[field].is_string(), "{field} of {ready}");
        }
        let limits = json!({ "messageBytes": 65_536, "attachmentBytes": 26_214_400, "messagesPer10s": 50 });
        assert_eq!(ready["limits"], limits);
    }
}

#[tokio::test]
async fn a_user_nobody_knew_exists_once_they_have_come_in() {
    let cluster = Cluster::embedded().await;
    let claims =
        json!({ "userId": "u:7", "name": "Nina", "avatar": "https://example.com/n.png", "exp": 4_000_000_000_u64 });
    let connection = Connection::to(&cluster.urls()[0]).token(&format!("Bearer {}", signed(&claims)));
    cluster.client("u:7", connection).await.ready().await;
    let nina = cluster.rest("ann").get("/users/u:7").await.ok();
    assert_eq!((&nina["name"], &nina["avatar"]), (&json!("Nina"), &json!("https://example.com/n.png")));
}

#[tokio::test]
async fn who_may_not_come_in_is_told_why_by_code_and_by_words() {
    let cluster = Cluster::embedded().await;
    let url = &cluster.urls()[0];
    let to = || Connection::to(url);
    let expired = signed(&json!({ "sub": "ann", "exp": 1_000_000_000 }));
    let nobody = signed(&json!({ "exp": 4_000_000_000_u64 }));
    let cases = [
        (to(), "unauthorized"),
        (to().token(""), "unauthorized"),
        (to().token("x.y.z"), "unauthorized"),
        (to().token(&expired), "unauthorized"),
        (to().token(&nobody), "unauthorized"),
        (to().token(&format!("{}x", token("ann"))), "unauthorized"),
        (to().option("query", json!({ "token": token("ann") })), "unauthorized"),
        (to().auth("token", json!(7)), "invalid"),
        (to().token(&token("ann")).auth("dialect", json!("klingon")), "invalid"),
        (to().token(&token("ann")).auth("dialect", json!(["native"])), "invalid"),
        (to().token(&token("ann")).auth("device", json!("d".repeat(200))), "invalid"),
        (to().token(&token("ann")).auth("personal", json!(-1)), "invalid"),
        (to().token(&token("ann")).auth("personal", json!("1")), "invalid"),
        (to().token(&token("ann")).option("query", json!({ "dialect": "klingon" })), "invalid"),
    ];
    for (connection, code) in cases {
        let what = format!("{connection:?}");
        let refused = cluster.client("ann", connection).await.refused().await;
        assert_eq!(refused["data"]["code"], code, "{what}");
        assert!(refused["message"].as_str().unwrap().starts_with(code), "{refused}");
    }
}

#[tokio::test]
async fn a_namespace_that_does_not_exist_is_refused_in_the_official_words() {
    let cluster = Cluster::embedded().await;
    let connection = Connection::to(&cluster.urls()[0]).namespace("/elsewhere").token(&token("ann"));
    let refused = cluster.client("ann", connection).await.refused().await;
    assert_eq!(refused["message"], "Invalid namespace");
}

#[tokio::test]
async fn who_was_refused_may_try_again_on_the_same_connection() {
    let cluster = Cluster::embedded().await;
    let ann = cluster.client("ann", Connection::to(&cluster.urls()[0])).await;
    ann.refused().await;
    ann.set_auth(json!({ "token": token("ann") })).await;
    ann.connect().await;
    ann.ready().await;
}

#[tokio::test]
async fn a_token_counts_in_every_place_that_is_configured_and_the_auth_object_goes_first() {
    let places = "query:token,cookie:accessToken,header:x-auth-token";
    let cluster = Cluster::embedded_with(&[("ROOKERY__AUTH__EXTRA_TOKEN_PLACES", places)]).await;
    let url = &cluster.urls()[0];
    let with_headers = |headers: Value| Connection::to(url).option("extraHeaders", headers);
    let own_cookie = json!({ "cookie": format!("a=b; accessToken={}", token("ann")), "origin": url });
    let both = with_headers(json!({ "authorization": token("bob") })).token(&token("ann"));
    for connection in [
        with_headers(json!({ "authorization": token("ann") })),
        with_headers(json!({ "authorization": format!("Bearer {}", token("ann")) })),
        with_headers(json!({ "x-auth-token": token("ann") })),
        with_headers(own_cookie),
        Connection::to(url).option("query", json!({ "token": token("ann") })),
        both,
    ] {
        let what = format!("{connection:?}");
        let ready = cluster.client("ann", connection).await.expect_event("session:ready").await;
        assert_eq!(ready["userId"], "ann", "{what}");
    }
    let stray_cookie = with_headers(json!({ "cookie": format!("accessToken={}", token("ann")) }));
    let refused = cluster.client("ann", stray_cookie).await.refused().await;
    assert_eq!(refused["data"]["code"], "unauthorized", "a cookie without an Origin proves nothing");
}

#[tokio::test]
async fn a_user_has_as_many_sessions_as_allowed_and_an_ended_one_makes_room() {
    let limits = [("ROOKERY__LIMITS__ENABLED", "true"), ("ROOKERY__LIMITS__SESSIONS_PER_USER", "2")];
    let cluster = Cluster::embedded_with(&limits).await;
    let connection = || Connection::to(&cluster.urls()[0]).token(&token_for("ann", Duration::from_secs(600)));
    let first = cluster.client("ann", connection()).await.ready().await;
    cluster.client("ann", connection()).await.ready().await;
    let third = cluster.client("ann", connection()).await;
    assert_eq!(third.refused().await["data"]["code"], "rate_limited");
    cluster.client_on("bob", 0).await;
    first.disconnect().await;
    first.disconnected().await;
    crate::support::deadline::until("there is room again", || async {
        third.connect().await;
        tokio::select! {
            _ = third.connected() => Some(()),
            _ = third.refused() => None,
        }
    })
    .await;
}
