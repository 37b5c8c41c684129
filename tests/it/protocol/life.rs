//! How connections end: by silence, by slowness, by abuse, and when the node goes.

use std::time::Duration;

use rookery::gateway::transport::{CloseReason, Frame, Sent, TransportConfig};

use super::echo::{EchoServer, config};
use super::raw::{RawSocket, frame, request};

const POLL: &str = "/socket.io/?EIO=4&transport=polling";

/// A node whose deadlines a test can wait for.
fn hasty() -> TransportConfig {
    TransportConfig {
        ping_interval: Duration::from_millis(150),
        ping_timeout: Duration::from_millis(150),
        connect_timeout: Duration::from_millis(300),
        upgrade_timeout: Duration::from_millis(300),
        flush_timeout: Duration::from_millis(300),
        ..config("a")
    }
}

async fn told(server: &EchoServer, line: &str) {
    server.echo.until(|told| told.iter().any(|told| told == line)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_answers_pings_stays_and_one_that_does_not_is_dropped() {
    let server = EchoServer::start(hasty()).await;
    let mut socket = RawSocket::joined(server.address).await;
    for _ in 0..5 {
        assert_eq!(socket.text().await, "2");
        socket.say("3").await;
    }
    assert_eq!(socket.text().await, "2");
    assert!(socket.frame().await.is_none());
    told(&server, "disconnected / heartbeat_timeout").await;
    assert_eq!(server.transport.open_connections(), 0);
    assert!(server.end().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_without_a_namespace_is_closed_and_one_that_left_its_last_too() {
    let server = EchoServer::start(TransportConfig { ping_interval: Duration::from_secs(20), ..hasty() }).await;
    let mut idle = RawSocket::open(server.address, "").await;
    assert!(idle.text().await.starts_with("0{"));
    assert_eq!(idle.close_code().await, 1008);
    let mut left = RawSocket::joined(server.address).await;
    left.say("41").await;
    assert_eq!(left.close_code().await, 1008);
    let open = request(server.address, "GET", POLL, "", "").await;
    let path = format!("{POLL}&sid={}", open.body.split('"').nth(3).unwrap());
    assert_eq!(request(server.address, "GET", &path, "", "").await.body, "1");
    assert_eq!(request(server.address, "GET", &path, "", "").await.status, 400);
    drop((idle, left));
    assert!(server.end().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_client_may_ask_again_in_time() {
    let server = EchoServer::start(config("a")).await;
    let mut socket = RawSocket::open(server.address, "").await;
    assert!(socket.text().await.starts_with("0{"));
    socket.say("40/nowhere,").await;
    assert_eq!(socket.text().await, r#"44/nowhere,{"message":"Invalid namespace"}"#);
    socket.say(r#"40{"refuse":true}"#).await;
    assert_eq!(socket.text().await, r#"44{"message":"unauthorized","data":{"code":"unauthorized"}}"#);
    socket.say("40").await;
    assert!(socket.text().await.starts_with("40{"));
    drop(socket);
    assert!(server.end().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_loses_signals_first_and_then_its_connection() {
    let mut config = config("a");
    config.queue.bytes_max = 256 * 1024;
    let server = EchoServer::start(config).await;
    let mut socket = RawSocket::joined(server.address).await;
    let handle = server.echo.sockets.lock()[0].clone();
    let letters = format!("\"{}\"", "x".repeat(10_000));
    let (signal, event) =
        (Frame::event("/", "signal", letters.as_bytes()), Frame::event("/", "event", letters.as_bytes()));
    let mut taken = 0;
    while handle.send_signal(&signal) == Sent::Taken {
        taken += 1;
        assert!(taken < 10_000, "the bound was never met");
    }
    assert_eq!(handle.send_signal(&signal), Sent::Dropped);
    assert!(handle.queued_bytes() >= 64 * 1024 && handle.queued_bytes() <= 80 * 1024);
    while handle.send(&event) == Sent::Taken {
        assert!(handle.queued_bytes() <= 256 * 1024 + letters.len() * 2);
    }
    assert_eq!(handle.send(&event), Sent::Closed);
    told(&server, "disconnected / slow_consumer").await;
    assert_eq!(handle.queued_bytes(), 0);
    while socket.frame().await.is_some() {}
    assert!(server.end().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_queued_before_a_close_still_arrives_in_order() {
    let server = EchoServer::start(config("a")).await;
    let mut socket = RawSocket::joined(server.address).await;
    let handle = server.echo.sockets.lock()[0].clone();
    let letters = "x".repeat(20_000);
    for number in 0..40 {
        assert_eq!(handle.send(&Frame::event("/", "n", format!("[{number},\"{letters}\"]").as_bytes())), Sent::Taken);
    }
    socket.write(&frame(0x81, b"42[\"unread\"]")).await;
    handle.close(CloseReason::Expired);
    assert_eq!(handle.send(&Frame::event("/", "late", b"1")), Sent::Closed);
    for number in 0..40 {
        assert!(socket.text().await.starts_with(&format!("42[\"n\",[{number},")));
    }
    loop {
        match socket.frame().await {
            Some((0x88, code)) => break assert_eq!(code, 1000_u16.to_be_bytes()),
            // The event that crossed the close may or may not have been read.
            Some((0x81, text)) => assert_eq!(text, b"42[\"unread\",[]]"),
            other => panic!("{other:?}"),
        }
    }
    told(&server, "disconnected / expired").await;
    drop(socket);
    assert!(server.end().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_application_can_put_a_client_out_of_a_namespace_without_losing_the_others() {
    let server = EchoServer::start(config("a")).await;
    let mut socket = RawSocket::joined(server.address).await;
    socket.say("40/messages,").await;
    assert!(socket.text().await.starts_with("40/messages,{\"sid\":"));
    assert_eq!(socket.text().await, "42/messages,[\"welcome\",{}]");
    let handle = server.echo.sockets.lock()[0].clone();
    handle.leave();
    assert_eq!(handle.send(&Frame::event("/", "late", b"1")), Sent::Closed);
    assert_eq!(socket.text().await, "41");
    told(&server, "disconnected / server_left").await;
    socket.say("42/messages,7[\"greet\"]").await;
    assert_eq!(socket.text().await, "43/messages,7[[]]");
    socket.say("42[\"greet\"]").await;
    assert_eq!(socket.close_code().await, 1002, "an event for a namespace that is not joined");
    drop(socket);
    assert!(server.end().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_frames_are_answered_softly_and_ten_times_too_many_close() {
    let server = EchoServer::start(TransportConfig { frames_per_s: Some(20), ..config("a") }).await;
    let mut socket = RawSocket::joined(server.address).await;
    let burst: Vec<u8> = (0..150).flat_map(|id| frame(0x81, format!("42{id}[\"greet\"]").as_bytes())).collect();
    socket.write(&burst).await;
    let mut limited = 0;
    for _ in 0..150 {
        limited += usize::from(socket.text().await.contains("rate_limited"));
    }
    assert!((100..150).contains(&limited), "{limited}");
    socket.write(&frame(0x81, b"3").repeat(500)).await;
    assert_eq!(socket.close_code().await, 1008);
    told(&server, "disconnected / rate_limited").await;
    drop(socket);
    assert!(server.end().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_refuses_the_new_stops_reading_writes_on_and_closes_all() {
    let server = EchoServer::start(config("a")).await;
    let mut sockets = Vec::new();
    for _ in 0..5 {
        sockets.push(RawSocket::joined(server.address).await);
    }
    server.transport.stop_opening();
    let refused = request(server.address, "GET", POLL, "", "").await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    sockets[0].say("421[\"greet\"]").await;
    assert_eq!(sockets[0].text().await, "431[[]]");
    server.transport.stop_reading();
    sockets[0].say("422[\"greet\"]").await;
    server.echo.sockets.lock()[0].send(&Frame::event("/", "drain", b"{}"));
    assert_eq!(sockets[0].text().await, "42[\"drain\",{}]");
    server.transport.close_all(Duration::from_millis(50), Duration::ZERO).await;
    for mut socket in sockets {
        assert_eq!(socket.close_code().await, 1001);
        assert!(socket.frame().await.is_none());
    }
    server.echo.until(|told| told.iter().filter(|line| *line == "disconnected / drain").count() == 5).await;
    assert!(server.end().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_that_fails_leaves_polling_as_it_was() {
    let server =
        EchoServer::start(TransportConfig { upgrade_timeout: Duration::from_millis(200), ..config("a") }).await;
    let open = request(server.address, "GET", POLL, "", "").await;
    let sid = open.body.split('"').nth(3).unwrap().to_owned();
    let path = format!("{POLL}&sid={sid}");
    assert_eq!(request(server.address, "POST", &path, "", "40").await.body, "ok");
    assert!(request(server.address, "GET", &path, "", "").await.body.starts_with("40{"));
    for wrong in [frame(0x81, b"2wrong"), frame(0x82, b"2probe"), frame(0x88, b""), b"test".to_vec(), Vec::new()] {
        let mut socket = RawSocket::open(server.address, &format!("&sid={sid}")).await;
        let mut rival = RawSocket::open(server.address, &format!("&sid={sid}")).await;
        assert_eq!(rival.close_code().await, 1000, "one upgrade at a time");
        socket.write(&wrong).await;
        assert_eq!(socket.close_code().await, 1000);
        assert!(socket.frame().await.is_none());
        assert_eq!(request(server.address, "POST", &path, "", "421[\"greet\"]").await.body, "ok");
        assert_eq!(request(server.address, "GET", &path, "", "").await.body, "431[[]]");
    }
    let mut stalled = RawSocket::open(server.address, &format!("&sid={sid}")).await;
    stalled.say("2probe").await;
    assert_eq!(stalled.text().await, "3probe");
    let mut polls = 0;
    let late = server.echo.sockets.lock()[0].clone();
    let polling = async {
        while request(server.address, "GET", &path, "", "").await.body == "6" {
            polls += 1;
        }
    };
    let closing = async {
        assert_eq!(stalled.close_code().await, 1000);
        late.send(&Frame::event("/", "late", b"1"));
    };
    tokio::join!(polling, closing);
    assert!((1..=4).contains(&polls), "{polls}");
    assert!(server.end().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_polls_or_two_posts_at_once_close_the_connection() {
    let server = EchoServer::start(config("a")).await;
    for method in ["GET", "POST"] {
        let open = request(server.address, "GET", POLL, "", "").await;
        let path = format!("{POLL}&sid={}", open.body.split('"').nth(3).unwrap());
        assert_eq!(request(server.address, "POST", &path, "", "40").await.body, "ok");
        assert!(request(server.address, "GET", &path, "", "").await.body.starts_with("40{"));
        let body = if method == "POST" { "42[\"hold\"]" } else { "" };
        let (first, second) = tokio::join!(request(server.address, method, &path, "", body), async {
            if method == "POST" {
                told(&server, "event / hold").await;
            }
            let second = request(server.address, method, &path, "", body).await;
            server.echo.tell("go".to_owned());
            second
        });
        assert!([first.status, second.status].contains(&400), "{first:?} {second:?}");
        told(&server, "disconnected / protocol_error").await;
        server.echo.told.lock().clear();
    }
    assert!(server.end().await);
}
