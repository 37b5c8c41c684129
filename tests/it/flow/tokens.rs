//! The end of a token, and going on with a newer one.

use std::time::Duration;

use serde_json::json;

use crate::support::client::{Client, Connection};
use crate::support::cluster::Cluster;
use crate::support::token::{signed, token, token_for};

async fn with_token(cluster: &Cluster, token: &str) -> Client {
    cluster.client("ann", Connection::to(&cluster.urls()[0]).token(token)).await.ready().await
}

#[tokio::test]
async fn a_session_is_told_in_time_and_closed_when_its_token_ends() {
    let cluster = Cluster::embedded().await;
    let ann = with_token(&cluster, &token_for("ann", Duration::from_secs(3))).await;
    let expiring = ann.expect_event("session:expiring").await;
    assert!(expiring["expiresAt"].as_str().unwrap().ends_with(".000Z"), "{expiring}");
    let reason = ann.disconnected().await;
    assert!(["transport close", "transport error"].contains(&reason.as_str()), "{reason}");
    let refused = ann.refused().await;
    assert_eq!(refused["data"]["code"], "unauthorized", "the client has come back with the same token");
}

#[tokio::test]
async fn a_session_with_a_long_token_is_told_nothing() {
    let cluster = Cluster::embedded().await;
    let ann = with_token(&cluster, &token_for("ann", Duration::from_secs(600))).await;
    ann.asks("sync", json!({})).await;
    assert!(ann.events("session:expiring").is_empty());
}

#[tokio::test]
async fn a_refreshed_session_outlives_its_first_token() {
    let cluster = Cluster::embedded_with(&[("ROOKERY__AUTH__EXPIRING_BEFORE_MS", "2000")]).await;
    let ann = with_token(&cluster, &token_for("ann", Duration::from_secs(3))).await;
    let brief = cluster
        .client("bob", Connection::to(&cluster.urls()[0]).token(&token_for("bob", Duration::from_secs(4))))
        .await;
    let brief = brief.ready().await;
    ann.expect_event("session:expiring").await;
    let refreshed = ann.asks("auth:refresh", json!({ "token": token("ann") })).await;
    assert!(refreshed["expiresAt"].is_string());
    // Another session's end, later than the first token's, shows that the time has passed.
    brief.disconnected().await;
    ann.asks("sync", json!({})).await;
    assert!(!ann.events("session:ready").is_empty() && ann.events("session:ready").len() == 1, "never closed");
    assert_eq!(ann.events("session:expiring").len(), 1);
}

#[tokio::test]
async fn only_a_good_token_of_the_same_user_extends_a_session() {
    let cluster = Cluster::embedded().await;
    let ann = with_token(&cluster, &token("ann")).await;
    let expired = signed(&json!({ "sub": "ann", "exp": 1_000_000_000 }));
    for (bad, code) in [(token("bob"), "forbidden"), (expired, "unauthorized"), ("x".into(), "unauthorized")] {
        let error = ann.is_refused("auth:refresh", json!({ "token": bad })).await;
        assert_eq!(error["code"], code, "{error}");
    }
    ann.asks("auth:refresh", json!({ "token": format!("Bearer {}", token("ann")) })).await;
}
