//! The ways in: WebSocket, long-polling, and from one to the other.

use super::echo::{EchoServer, config};
use super::raw::{Answer, RawSocket, request};

const POLL: &str = "/socket.io/?EIO=4&transport=polling";

async fn polled(server: &EchoServer, sid: &str) -> String {
    let answer = request(server.address, "GET", &format!("{POLL}&sid={sid}"), "", "").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

async fn posted(server: &EchoServer, sid: &str, body: &str) -> Answer {
    request(server.address, "POST", &format!("{POLL}&sid={sid}"), "", body).await
}

/// Opens a polling connection and joins `/`; gives its sid.
async fn polling_joined(server: &EchoServer) -> String {
    let open = request(server.address, "GET", POLL, "", "").await;
    let sid = open.body.split('"').nth(3).unwrap().to_owned();
    assert_eq!(posted(server, &sid, "40").await.body, "ok");
    let joined = polled(server, &sid).await;
    assert!(joined.starts_with("40{\"sid\":\"") && joined.ends_with("\x1e42[\"welcome\",{}]"), "{joined}");
    sid
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_joins_is_answered_in_order_and_leaves() {
    let server = EchoServer::start(config("a")).await;
    let mut socket = RawSocket::joined(server.address).await;
    for id in 0..50 {
        socket.say(&format!("42{id}[\"greet\",{{\"n\":{id}}}]")).await;
    }
    for id in 0..50 {
        assert_eq!(socket.text().await, format!("43{id}[[{{\"n\":{id}}}]]"));
    }
    socket.say("41").await;
    server.echo.until(|told| told.last().unwrap() == "disconnected / client_left").await;
    assert_eq!(server.transport.open_connections(), 1);
    drop(socket);
    assert!(server.end().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_polling_carries_what_is_queued_in_one_answer() {
    let server = EchoServer::start(config("a")).await;
    let sid = polling_joined(&server).await;
    assert_eq!(posted(&server, &sid, "420[\"greet\",1]\x1e42[\"greet\",2]\x1e421[\"greet\"]").await.body, "ok");
    assert_eq!(polled(&server, &sid).await, "430[[1]]\x1e42[\"greet\",[2]]\x1e431[[]]");
    assert_eq!(posted(&server, &sid, "1").await.body, "ok");
    server.echo.until(|told| told.last().unwrap() == "disconnected / transport_closed").await;
    assert!(server.end().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_loses_doubles_and_reorders_nothing() {
    let server = EchoServer::start(config("a")).await;
    let sid = polling_joined(&server).await;
    let mut socket = RawSocket::open(server.address, &format!("&sid={sid}")).await;
    socket.say("2probe").await;
    assert_eq!(socket.text().await, "3probe");
    assert_eq!(polled(&server, &sid).await, "6", "the poll is answered, so that the client can stop polling");
    assert_eq!(posted(&server, &sid, "420[\"greet\",1]\x1e421[\"greet\",2]").await.body, "ok");
    socket.say("5").await;
    socket.say("422[\"greet\",3]").await;
    for id in 0..3 {
        assert_eq!(socket.text().await, format!("43{id}[[{}]]", id + 1));
    }
    let after = request(server.address, "GET", &format!("{POLL}&sid={sid}"), "", "").await;
    assert_eq!((after.status, &*after.body), (400, r#"{"code":3,"message":"Bad request"}"#));
    let mut second = RawSocket::open(server.address, &format!("&sid={sid}")).await;
    assert_eq!(second.close_code().await, 1000);
    socket.say("423[\"greet\"]").await;
    assert_eq!(socket.text().await, "433[[]]");
    drop(socket);
    assert!(server.end().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_application_is_full_nothing_is_read_and_everything_is_still_written() {
    let server = EchoServer::start(config("a")).await;
    let mut socket = RawSocket::joined(server.address).await;
    socket.say("420[\"hold\"]").await;
    socket.say("421[\"greet\"]").await;
    assert_eq!(socket.text().await, "430[[]]");
    let handle = server.echo.sockets.lock()[0].clone();
    handle.send(&rookery::gateway::transport::Frame::event("/", "meanwhile", b"1"));
    assert_eq!(socket.text().await, "42[\"meanwhile\",1]");
    assert!(!server.echo.told.lock().iter().any(|line| line == "event / greet"));
    server.echo.tell("go".to_owned());
    assert_eq!(socket.text().await, "431[[]]");
    drop(socket);
    assert!(server.end().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_that_is_not_the_transports_goes_to_the_routes() {
    let server = EchoServer::start(config("a")).await;
    assert_eq!(request(server.address, "GET", "/hello", "", "").await.body, "hello");
    assert_eq!(request(server.address, "GET", "/socket.io/../metrics", "", "").await.status, 404);
    assert!(server.end().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_page_gets_no_cors_header_and_no_websocket() {
    let mut config = config("a");
    config.cors_origins = vec!["https://app.example.com".to_owned()];
    let server = EchoServer::start(config).await;
    for (origin, allowed) in [("https://app.example.com", true), ("https://evil.example", false), ("null", false)] {
        let answer = request(server.address, "GET", POLL, &format!("Origin: {origin}\r\n"), "").await;
        assert_eq!(answer.header("access-control-allow-origin"), allowed.then_some(origin));
        let upgrade = "/socket.io/?EIO=4&transport=websocket";
        let answer = request(server.address, "GET", upgrade, &format!("Origin: {origin}\r\n"), "").await;
        assert_eq!(answer.status, if allowed { 400 } else { 403 }, "{}", answer.body);
    }
    assert!(server.end().await);
}
