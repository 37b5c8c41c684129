//! Requests that reach a node which does not own their connection.

use std::net::SocketAddr;

use rookery::gateway::transport::{DisconnectReason, Frame};

use super::echo::{EchoServer, config};
use super::raw::{RawSocket, request};

const POLL: &str = "/socket.io/?EIO=4&transport=polling";
const SID_UNKNOWN: &str = r#"{"code":1,"message":"Session ID unknown"}"#;

/// Two nodes that know each other.
async fn pair() -> [EchoServer; 2] {
    let pair = [EchoServer::start(config("a")).await, EchoServer::start(config("b")).await];
    let addresses = [("a".to_owned(), pair[0].address), ("b".to_owned(), pair[1].address)];
    for server in &pair {
        server.neighbours.0.lock().extend(addresses.clone());
    }
    pair
}

async fn opened(address: SocketAddr) -> String {
    let open = request(address, "GET", POLL, "", "").await;
    open.body.split('"').nth(3).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polling_works_whatever_node_each_request_reaches() {
    let [owner, other] = pair().await;
    let sid = opened(owner.address).await;
    let path = format!("{POLL}&sid={sid}");
    assert_eq!(request(other.address, "POST", &path, "", "40").await.body, "ok");
    let joined = request(other.address, "GET", &path, "", "").await.body;
    assert!(joined.starts_with("40{"), "{joined}");
    for turn in 0..10 {
        let (poster, poller) = if turn % 2 == 0 { (&owner, &other) } else { (&other, &owner) };
        assert_eq!(request(poster.address, "POST", &path, "", &format!("42{turn}[\"greet\",\"é\"]")).await.body, "ok");
        assert_eq!(request(poller.address, "GET", &path, "", "").await.body, format!("43{turn}[[\"é\"]]"));
    }
    let (address, poll_path) = (other.address, path.clone());
    let waiting = tokio::spawn(async move { request(address, "GET", &poll_path, "", "").await.body });
    let handle = owner.echo.sockets.lock()[0].clone();
    handle.send(&Frame::event("/", "late", b"1"));
    assert_eq!(waiting.await.unwrap(), "42[\"late\",1]");
    assert_eq!((owner.transport.open_connections(), other.transport.open_connections()), (1, 0));
    assert_eq!(request(other.address, "POST", &path, "", "1").await.body, "ok");
    owner.echo.until(|told| told.last().unwrap() == "disconnected / transport_closed").await;
    assert_eq!(request(other.address, "GET", &path, "", "").await.body, SID_UNKNOWN);
    assert!(owner.end().await && other.end().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_at_another_node_is_carried_to_the_owner_and_ends_with_either_side() {
    let [owner, other] = pair().await;
    for ends_at_client in [true, false] {
        let sid = opened(owner.address).await;
        let path = format!("{POLL}&sid={sid}");
        assert_eq!(request(owner.address, "POST", &path, "", "40").await.body, "ok");
        assert!(request(owner.address, "GET", &path, "", "").await.body.starts_with("40{"));
        let mut socket = RawSocket::open(other.address, &format!("&sid={sid}")).await;
        socket.say("2probe").await;
        assert_eq!(socket.text().await, "3probe");
        socket.say("5").await;
        let large = "x".repeat(300_000);
        for id in 0..5 {
            socket.say(&format!("42{id}[\"greet\",\"{large}\"]")).await;
        }
        for id in 0..5 {
            assert_eq!(socket.text().await, format!("43{id}[[\"{large}\"]]"));
        }
        if ends_at_client {
            drop(socket);
        } else {
            let handle = owner.echo.sockets.lock()[0].clone();
            handle.close(rookery::gateway::transport::CloseReason::Drain);
            assert_eq!(socket.close_code().await, 1001);
            assert!(socket.frame().await.is_none());
        }
        let reason = if ends_at_client { DisconnectReason::TransportClosed.word() } else { "drain" };
        let line = format!("disconnected / {reason}");
        owner.echo.until(|told| told.last() == Some(&line)).await;
    }
    assert!(owner.end().await && other.end().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_or_forgotten_owner_looks_like_a_connection_that_has_ended() {
    let [owner, other] = pair().await;
    let sid = opened(owner.address).await;
    let path = format!("{POLL}&sid={sid}");
    assert!(owner.end().await);
    for method in ["GET", "POST"] {
        let body = if method == "POST" { "40" } else { "" };
        let answer = request(other.address, method, &path, "", body).await;
        assert_eq!((answer.status, &*answer.body), (400, SID_UNKNOWN));
    }
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: \
                   dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let answer = request(other.address, "GET", &path.replace("polling", "websocket"), upgrade, "").await;
    assert_eq!((answer.status, &*answer.body), (400, SID_UNKNOWN));
    other.neighbours.0.lock().clear();
    let answer = request(other.address, "GET", &path, "", "").await;
    assert_eq!((answer.status, &*answer.body), (400, SID_UNKNOWN));
    assert!(other.end().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_name_each_other_do_not_send_a_request_in_circles() {
    let [one, two] = [EchoServer::start(config("a")).await, EchoServer::start(config("b")).await];
    let third = EchoServer::start(config("c")).await;
    one.neighbours.0.lock().push(("c".to_owned(), two.address));
    two.neighbours.0.lock().push(("c".to_owned(), one.address));
    let path = format!("{POLL}&sid={}", opened(third.address).await);
    let answer = request(one.address, "GET", &path, "", "").await;
    assert_eq!((answer.status, &*answer.body), (400, SID_UNKNOWN));
    let answer = request(one.address, "GET", POLL, "X-Rookery-Hop: 127.0.0.1;allowed;xyz\r\n", "").await;
    assert_eq!(answer.status, 400);
    assert!(one.end().await && two.end().await && third.end().await);
}
