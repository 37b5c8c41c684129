//! The life of a node: tokens before it, its start, its health, its end.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rookery::auth::{ClaimRules, Verifier};
use rookery::config::{Secret, Settings, Sources};
use rookery::domain::SystemClock;
use serde_json::{Value, json};

use super::command::rookery;
use crate::support::cluster::Cluster;
use crate::support::deadline::{DEADLINE, until};
use crate::support::process::send_signal;
use crate::support::token::{SECRET, token};

#[test]
fn a_token_from_the_command_line_is_believed_by_a_node_with_the_same_settings() {
    let folder = tempfile::tempdir().unwrap();
    let environment = [("ROOKERY__AUTH__ISSUER", "rookery"), ("ROOKERY__AUTH__USER_CLAIM", "uid,sub")];
    let asked = ["token", "--user", "ann", "--name", "Ann B", "--ttl", "15m"];
    let said = rookery(folder.path(), &asked, &environment);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    let made = folder.path().join("data/hs256_secret");
    assert_eq!(fs::metadata(&made).unwrap().permissions().mode() & 0o777, 0o600);
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let settings = Settings::load(&Sources { environment, ..Sources::default() }).unwrap();
    let secret = Secret::new(fs::read_to_string(made).unwrap());
    let rules = ClaimRules::new(&settings.auth);
    let verifier = Verifier::with_secret(&secret, rules, std::sync::Arc::new(SystemClock));
    let identity = verifier.verify(said.out.trim()).unwrap();
    assert_eq!((identity.user().as_str(), identity.profile.name.as_str()), ("ann", "Ann B"));
    let lifetime_ms = identity.expires_at.unix_ms() - identity.issued_at.unwrap().unix_ms();
    assert_eq!(lifetime_ms, 900_000);
}

#[test]
fn a_second_token_is_made_with_the_same_secret() {
    let folder = tempfile::tempdir().unwrap();
    let secret = || {
        assert_eq!(rookery(folder.path(), &["token", "--user", "ann"], &[]).code, 0);
        fs::read_to_string(folder.path().join("data/hs256_secret")).unwrap()
    };
    assert_eq!(secret(), secret());
}

#[test]
fn a_user_that_cannot_be_gets_no_token() {
    let folder = tempfile::tempdir().unwrap();
    for user in ["me", "deleted", "a b", ""] {
        let said = rookery(folder.path(), &["token", "--user", user], &[]);
        assert_eq!(said.code, 2, "{user}");
        assert!(said.line().starts_with("rookery: --user: "), "{user}: {}", said.err);
    }
}

#[test]
fn what_cannot_be_reached_ends_the_start_with_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    fs::write(folder.path().join("file"), "not a folder").unwrap();
    let quiet = ("RUST_LOG", "off");
    let free = [("ROOKERY__SERVER__LISTEN", "127.0.0.1:0"), ("ROOKERY__SERVER__ADMIN_LISTEN", "127.0.0.1:0"), quiet];
    for (key, environment) in [
        ("server.listen", vec![("ROOKERY__SERVER__LISTEN", taken.as_str()), free[1], quiet]),
        ("server.admin_listen", vec![("ROOKERY__SERVER__ADMIN_LISTEN", taken.as_str()), free[0], quiet]),
        (
            "store.url",
            [
                &free[..],
                &[("DATABASE_URL", "postgres://ann:hunter2@127.0.0.1:1/chat"), ("ROOKERY__AUTH__HS256_SECRET", SECRET)],
            ]
            .concat(),
        ),
        (
            "store.url",
            [&free[..], &[("ROOKERY__STORE__URL", "sqlite://file/a.db"), ("ROOKERY__AUTH__HS256_SECRET", SECRET)]]
                .concat(),
        ),
        ("auth.hs256_secret", [&free[..], &[("ROOKERY__STORE__URL", "sqlite://file/a.db")]].concat()),
        ("store.migrate", [&free[..], &[("ROOKERY__STORE__MIGRATE", "false")]].concat()),
    ] {
        let said = rookery(folder.path(), &["serve"], &environment);
        assert_eq!(said.code, 1, "{environment:?}: {}", said.err);
        let line = said.line();
        assert!(line.starts_with(&format!("rookery: {key}")) && !line.contains("hunter2"), "{environment:?}: {line}");
    }
}

#[test]
fn a_migrated_store_needs_no_migration_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let said = rookery(folder.path(), &["migrate"], &[]);
        assert_eq!((said.code, said.out.as_str()), (0, "the schema is up to date\n"), "{}", said.err);
    }
}

#[tokio::test]
async fn a_node_answers_about_itself_on_the_admin_listener_alone() {
    let cluster = Cluster::embedded().await;
    let node = &cluster.nodes[0];
    let get = async |url: String| reqwest::get(url).await.unwrap();
    assert_eq!(get(node.admin_url("/healthz")).await.text().await.unwrap(), "ok");
    assert_eq!(get(node.admin_url("/readyz")).await.text().await.unwrap(), r#"{"status":"ready"}"#);
    let metrics = get(node.admin_url("/metrics")).await;
    assert!(metrics.headers()["content-type"].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
    let metrics = metrics.text().await.unwrap();
    assert!(metrics.contains("rookery_build_info{node=\"node-1\""), "{metrics}");
    assert!(metrics.contains("process_open_fds"), "{metrics}");
    for path in ["/healthz", "/readyz", "/metrics", "/socket.io/../metrics", "/api/v1/../../metrics"] {
        let status = get(format!("{}{path}", node.url())).await.status();
        assert_eq!(status, 404, "{path}");
    }
    assert_eq!(get(node.admin_url("/api/v1/openapi.json")).await.status(), 404);
}

#[tokio::test]
async fn the_public_listener_shows_the_page_and_the_description() {
    let cluster = Cluster::embedded().await;
    let node = &cluster.nodes[0];
    let page = reqwest::get(node.url()).await.unwrap();
    assert!(page.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    assert!(page.text().await.unwrap().contains("/api/v1/openapi.json"));
    let description = reqwest::get(format!("{}/api/v1/openapi.json", node.url())).await.unwrap();
    let description: serde_json::Value = description.json().await.unwrap();
    assert!(description["paths"].as_object().is_some_and(|paths| !paths.is_empty()));
}

#[tokio::test]
async fn a_node_that_is_asked_to_end_says_so_and_ends_in_order() {
    let mut cluster = Cluster::embedded_with(&[("ROOKERY__SERVER__DRAIN_MS", "3000")]).await;
    let [ann] = cluster.clients(["ann"]).await;
    let node = &mut cluster.nodes[0];
    let ready = node.admin_url("/readyz");
    let ending = node.terminate(DEADLINE);
    let refused = until("the node is draining", async || {
        let response = reqwest::get(&ready).await.ok()?;
        (response.status() == 503).then_some(response)
    });
    let (status, refused) = tokio::join!(ending, refused);
    assert_eq!(status.code(), Some(0));
    assert_eq!(refused.text().await.unwrap(), r#"{"status":"draining"}"#);
    assert!(ann.expect_event("session:drain").await["reconnectInMs"].is_u64());
    let log = cluster.nodes[0].log();
    assert!(log.contains("has ended") && !log.contains("WARN") && !log.contains("ERROR"), "{log}");
}

#[tokio::test]
async fn what_a_draining_node_has_taken_is_answered_before_it_ends() {
    let mut cluster = Cluster::embedded().await;
    let room = cluster.group(&["ann"]).await;
    let [ann] = cluster.clients(["ann"]).await;
    let send = |n: u32| {
        let message = json!({ "conversationId": room, "clientId": format!("c{n}"), "content": "hi" });
        ann.try_emit_with_ack(json!(["message:send", message]), DEADLINE)
    };
    let mut sends: FuturesUnordered<_> = (0..200).map(send).collect();
    let first = sends.next().await.unwrap().unwrap();
    assert_eq!(first[0]["ok"], true, "{first}");
    let node = &mut cluster.nodes[0];
    let (status, acks) = tokio::join!(node.terminate(DEADLINE), sends.collect::<Vec<_>>());
    assert_eq!(status.code(), Some(0), "{}", node.log());
    let acked_count = 1 + acks.iter().flatten().filter(|ack| ack[0]["ok"] == true).count();
    node.start().await;
    let page = cluster.rest("ann").get(&format!("/conversations/{room}/events?after=0&limit=100")).await.ok();
    let more = cluster.rest("ann").get(&format!("/conversations/{room}/events?after=100&limit=100")).await.ok();
    let count = |page: &Value| page["items"].as_array().map_or(0, Vec::len);
    assert_eq!(count(&page) + count(&more), acked_count, "in the log, and answered");
}

#[tokio::test]
async fn a_second_signal_ends_the_node_at_once() {
    let mut cluster = Cluster::embedded_with(&[("ROOKERY__SERVER__DRAIN_MS", "19000")]).await;
    let node = &mut cluster.nodes[0];
    // So many connections take seconds to be closed one after the other.
    let handshake = format!("{}/socket.io/?EIO=4&transport=polling", node.url());
    for _ in 0..500 {
        assert!(reqwest::get(&handshake).await.unwrap().status().is_success());
    }
    let (ready, pid) = (node.admin_url("/readyz"), node.pid());
    let again = async {
        until("the node is draining", async || {
            reqwest::get(&ready).await.ok().filter(|response| response.status() == 503).map(drop)
        })
        .await;
        send_signal(pid, "TERM");
    };
    let (status, ()) = tokio::join!(node.terminate(DEADLINE), again);
    assert_eq!(status.code(), Some(1));
    assert!(node.log().contains("ended at once"), "{}", node.log());
}

#[tokio::test]
async fn no_token_reaches_the_log() {
    let mut cluster = Cluster::embedded_with(&[
        ("RUST_LOG", "trace,hyper=info"),
        ("ROOKERY__AUTH__EXTRA_TOKEN_PLACES", "query:token"),
    ])
    .await;
    let secret = token("ann");
    let url = format!("{}/socket.io/?EIO=4&transport=polling&token={secret}", cluster.nodes[0].url());
    assert!(reqwest::get(url).await.unwrap().status().is_success());
    let room = cluster.group(&["ann"]).await;
    let [ann] = cluster.clients(["ann"]).await;
    ann.join(&room).await;
    ann.say(&room, "a-body-of-a-message").await;
    cluster.nodes[0].terminate(DEADLINE).await;
    let log = cluster.nodes[0].log();
    assert!(log.contains("ready"));
    for secret in [secret.as_str(), SECRET, "a-body-of-a-message"] {
        assert!(!log.contains(secret), "the log holds {secret}");
    }
}
