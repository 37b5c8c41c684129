//! What the bus over Redis does when Redis, the connections to it, or its neighbours misbehave.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use rookery::bus::{BusError, BusEvent, BusState, BusTiming, RedisBus, Topic};

use super::bus_node::{Node, alert, calm, connect, conversation, node_id, settings};
use crate::support::backends::{private_redis, unique_prefix};
use crate::support::deadline::{DEADLINE, until};
use crate::support::redis::Redis;

/// Two nodes that are up, on a server of their own.
async fn two_nodes(timing: BusTiming) -> Option<(Redis, Node, Node)> {
    let server = private_redis().await?;
    let prefix = unique_prefix();
    let (ann, bob) = (node(&server, &prefix, "ann", timing).await, node(&server, &prefix, "bob", timing).await);
    Some((server, ann, bob))
}

async fn node(server: &Redis, prefix: &str, name: &str, timing: BusTiming) -> Node {
    let node = Node::new(connect(&server.url(), prefix, name, timing).await);
    node.is(BusState::Up).await;
    node
}

/// Waits until the server itself says so.
async fn answers(server: &Redis, question: &str, answer: &str) {
    let said = async || server.command(question).await.filter(|said| said == answer);
    until(&format!("{question} answers {answer:?}"), said).await;
}

/// The connections break; both nodes are told of a gap, come up again, and still hear what they had subscribed.
async fn survives(break_it: impl AsyncFnOnce(&mut Redis)) {
    let Some((mut server, mut ann, mut bob)) = two_nodes(alert()).await else { return };
    let room = conversation();
    ann.subscribes(&room).await;
    bob.subscribes(&room).await;
    break_it(&mut server).await;
    for node in [&mut ann, &mut bob] {
        node.is_told(BusState::Degraded).await;
        node.has_a_gap().await;
        node.is_told(BusState::Up).await;
    }
    ann.reaches(&mut bob, &room).await;
    bob.reaches(&mut ann, &room).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribed_topics_come_back_after_the_server_closes_the_listening_connections() {
    survives(async |server| assert_eq!(server.command("CLIENT KILL TYPE pubsub").await.as_deref(), Some(":2\r\n")))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribed_topics_come_back_after_the_server_closes_the_publishing_connections() {
    survives(async |server| assert_eq!(server.command("CLIENT KILL TYPE normal").await.as_deref(), Some(":2\r\n")))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribed_topics_come_back_after_the_server_was_killed_and_started_empty() {
    survives(async |server| {
        server.kill();
        server.start_again().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_is_noticed_and_used_again_when_it_thaws() {
    let Some((server, mut ann, mut bob)) = two_nodes(alert()).await else { return };
    let room = conversation();
    bob.subscribes(&room).await;
    server.signal("STOP");
    for node in [&mut ann, &mut bob] {
        node.is_told(BusState::Degraded).await;
    }
    server.signal("CONT");
    for node in [&mut ann, &mut bob] {
        node.is_told(BusState::Up).await;
        node.has_a_gap().await;
    }
    ann.reaches(&mut bob, &room).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_the_server_gave_up_as_too_slow_is_told_of_a_gap() {
    let Some((server, ann, mut bob)) = two_nodes(alert()).await else { return };
    let room = conversation();
    bob.subscribes(&room).await;
    server.command("CONFIG SET client-output-buffer-limit \"pubsub 64kb 0 0\"").await.unwrap();
    // One message above the limit: the server closes the listener instead of sending it.
    ann.bus.publish(&room, Bytes::from(vec![b'x'; 8 << 20]));
    bob.has_a_gap().await;
    ann.reaches(&mut bob, &room).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bus_whose_server_is_away_starts_degraded_and_comes_up_by_itself() {
    let Some(mut server) = private_redis().await else { return };
    server.kill();
    let prefix = unique_prefix();
    let mut ann = Node::new(connect(&server.url(), &prefix, "ann", alert()).await);
    let room = conversation();
    assert_eq!(ann.bus.state(), BusState::Degraded);
    ann.bus.subscribe(&room);
    server.start_again().await;
    ann.is_live(&room).await;
    ann.is(BusState::Up).await;
    let bob = node(&server, &prefix, "bob", alert()).await;
    bob.reaches(&mut ann, &room).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishing_returns_at_once_while_the_server_is_away_and_the_newest_survive() {
    let Some((mut server, ann, mut bob)) = two_nodes(alert()).await else { return };
    let room = conversation();
    bob.subscribes(&room).await;
    server.kill();
    // Far more than the queue holds; were one call to wait for the server, the test would end by its deadline.
    let message = Bytes::from(vec![b'x'; 1_000]);
    for _ in 0..200_000 {
        ann.bus.publish(&room, message.clone());
    }
    server.start_again().await;
    ann.reaches(&mut bob, &room).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_on_its_way_when_the_publishing_connection_broke_is_sent_again() {
    let Some(server) = private_redis().await else { return };
    let prefix = unique_prefix();
    let ann = node(&server, &prefix, "ann", calm()).await;
    // Before bob joins, the only publishing connections are ann's and the one that asks.
    let clients = server.command("CLIENT LIST TYPE normal").await.unwrap();
    let ids = clients.lines().filter_map(|line| line.strip_prefix("id=")?.split(' ').next());
    let publisher: u32 = ids.map(|id| id.parse().unwrap()).min().unwrap();
    let mut bob = node(&server, &prefix, "bob", calm()).await;
    let room = conversation();
    bob.subscribes(&room).await;
    for n in 0..2_000 {
        if n % 1_000 == 500 {
            server.command(&format!("CLIENT KILL ID {publisher}")).await.unwrap();
        }
        ann.says(&room, &n.to_string());
    }
    let mut missing: HashSet<String> = (0..2_000).map(|n: u32| n.to_string()).collect();
    while !missing.is_empty() {
        let (_, message) = bob.next_message().await;
        missing.remove(std::str::from_utf8(&message).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_on_different_servers_notice_that_they_do_not_hear_each_other() {
    let (Some(here), Some(there)) = (private_redis().await, private_redis().await) else { return };
    let prefix = unique_prefix();
    let (mut ann, mut bob) = (node(&here, &prefix, "ann", alert()).await, node(&there, &prefix, "bob", alert()).await);
    for node in [&ann, &bob] {
        node.bus.expect_peers(vec![node_id("ann"), node_id("bob")]);
    }
    for node in [&mut ann, &mut bob] {
        node.is_told(BusState::Degraded).await;
        // The connections are rebuilt, in case that leads to the other server.
        node.has_a_gap().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clusters_with_different_prefixes_share_a_server_unheard() {
    let Some(server) = private_redis().await else { return };
    let (here, there) = (unique_prefix(), unique_prefix());
    let (ann, mut bob) = (node(&server, &here, "ann", calm()).await, node(&server, &there, "bob", calm()).await);
    let cid = node(&server, &there, "cid", calm()).await;
    let room = conversation();
    bob.subscribes(&room).await;
    ann.says(&room, "of another cluster");
    let mut ann_twin = node(&server, &here, "twin", calm()).await;
    ann_twin.subscribes(&room).await;
    ann.reaches(&mut ann_twin, &room).await;
    cid.says(&room, "of ours");
    bob.hears(&room, "of ours").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_left_topic_stays_subscribed_for_a_while_and_not_forever() {
    let Some(server) = private_redis().await else { return };
    let prefix = unique_prefix();
    let mut patient = settings(&server.url(), &prefix, "ann", calm());
    patient.timing.linger = Duration::from_secs(3_600);
    let mut ann = Node::new(RedisBus::connect(patient).await.unwrap());
    let mut bob = node(&server, &prefix, "bob", calm()).await;
    let room = Topic::User("dora".parse().unwrap());
    let (question, channel) = (format!("PUBSUB NUMSUB {prefix}:1:u:dora"), format!("{prefix}:1:u:dora"));
    let answer = |count: u32| format!("*2\r\n${}\r\n{channel}\r\n:{count}\r\n", channel.len());
    ann.subscribes(&room).await;
    bob.subscribes(&room).await;
    answers(&server, &question, &answer(2)).await;
    ann.bus.unsubscribe(&room);
    bob.bus.unsubscribe(&room);
    answers(&server, &question, &answer(1)).await;
    ann.subscribes(&room).await;
    bob.reaches(&mut ann, &room).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_topics_are_live_again_after_a_reconnect() {
    let Some((server, ann, mut bob)) = two_nodes(calm()).await else { return };
    let rooms: Vec<Topic> = (0..5_000).map(|_| conversation()).collect();
    let mut silent: HashSet<Topic> = rooms.iter().cloned().collect();
    rooms.iter().for_each(|room| bob.bus.subscribe(room));
    while !silent.is_empty() {
        if let BusEvent::Subscribed(topics) = bob.next().await {
            topics.iter().for_each(|topic| assert!(silent.remove(topic), "told once"));
        }
    }
    server.command("CLIENT KILL TYPE pubsub").await.unwrap();
    bob.is_told(BusState::Degraded).await;
    bob.has_a_gap().await;
    rooms.iter().for_each(|room| ann.says(room, "still here?"));
    let mut silent: HashSet<Topic> = rooms.into_iter().collect();
    while !silent.is_empty() {
        silent.remove(&bob.next_message().await.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_ends_soon_although_the_server_is_frozen() {
    let Some((server, ann, _bob)) = two_nodes(alert()).await else { return };
    server.signal("STOP");
    ann.says(&conversation(), "never sent");
    tokio::time::timeout(DEADLINE, ann.bus.close()).await.expect("closing is bounded");
    server.signal("CONT");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_credentials_are_told_at_the_start() {
    let Some(server) = private_redis().await else { return };
    server.command("CONFIG SET requirepass right").await.unwrap();
    let address = server.address();
    for url in
        [format!("redis://{address}"), format!("redis://:wrong@{address}"), format!("redis://eve:right@{address}")]
    {
        let refused = RedisBus::connect(settings(&url, "t", "ann", calm())).await.err();
        assert!(matches!(refused, Some(BusError::Refused(_))), "{url}: {refused:?}");
    }
    let ann = Node::new(connect(&format!("redis://:right@{address}"), "t", "ann", calm()).await);
    ann.is(BusState::Up).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_may_not_be_subscribed_is_never_called_live() {
    let Some(server) = private_redis().await else { return };
    let user = "ACL SETUSER ann on >pw +@all resetchannels &t:1:all &t:1:u:* ~*";
    assert_eq!(server.command(user).await.as_deref(), Some("+OK\r\n"));
    let url = format!("redis://ann:pw@{}", server.address());
    let mut ann = Node::new(connect(&url, "t", "ann", calm()).await);
    ann.is(BusState::Up).await;
    ann.bus.subscribe(&conversation());
    loop {
        match ann.next().await {
            BusEvent::Subscribed(topics) => panic!("{topics:?} cannot be live"),
            BusEvent::State(BusState::Degraded) => return,
            BusEvent::Message(..) | BusEvent::Gap | BusEvent::State(BusState::Up) => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_bytes_on_the_channels_do_no_harm_and_keep_nobody_up() {
    let Some((server, ann, mut bob)) = two_nodes(calm()).await else { return };
    let user = "ACL SETUSER mute on >pw +@all -publish allchannels ~*";
    assert_eq!(server.command(user).await.as_deref(), Some("+OK\r\n"));
    let channels = server.command("PUBSUB CHANNELS").await.unwrap();
    let all = channels.lines().find(|line| line.ends_with(":1:all")).unwrap();
    let prefix = all.strip_suffix(":1:all").unwrap();
    let url = format!("redis://mute:pw@{}", server.address());
    let mut mute = Node::new(connect(&url, prefix, "mute", calm()).await);
    let (room, instance) = (conversation(), "00000000-0000-0000-0000-000000000001");
    mute.subscribes(&room).await;
    let forged = format!(
        "{{\\\"probe\\\":{{\\\"node\\\":\\\"mute\\\",\\\"instance\\\":\\\"{instance}\\\",\\\"version\\\":\\\"1\\\"}}}}"
    );
    for message in [&forged, "{\\\"probe\\\":[]}", "\\xff\\x00", ""] {
        assert_eq!(
            server.command(&format!("PUBLISH {all} \"{message}\"")).await.as_deref(),
            Some(":3\r\n"),
            "{message}"
        );
    }
    ann.reaches(&mut mute, &room).await;
    // What mute has heard lies behind the forged probe; its own never got out.
    assert_eq!(mute.bus.state(), BusState::Degraded);
    bob.subscribes(&room).await;
    ann.reaches(&mut bob, &room).await;
}
