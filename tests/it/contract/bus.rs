//! The contract of the bus, over every implementation.

use bytes::Bytes;
use rookery::bus::{BusEvent, BusState, Faults, MemoryHub, Topic};
use uuid::Uuid;

use super::bus_node::{Meeting, Node, conversation, node_id, user};

/// Runs each of these over every bus.
macro_rules! over_every_bus {
    ($($test:ident),* $(,)?) => {
        mod in_memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(super::Meeting::in_memory()).await;
            })*
        }
        mod over_redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                let Some(meeting) = super::Meeting::over_redis().await else { return };
                super::$test(meeting).await;
            })*
        }
    };
}

over_every_bus![
    a_message_reaches_the_nodes_that_subscribed_and_no_other,
    a_node_that_subscribed_hears_itself_too,
    every_kind_of_topic_carries_any_bytes,
    what_is_published_after_word_of_the_subscription_arrives,
    messages_of_one_node_arrive_in_order,
    a_left_topic_falls_silent_and_coming_back_is_answered,
    subscribing_twice_is_harmless_and_answered,
    leaving_what_was_never_wanted_is_harmless,
    a_node_that_does_not_read_is_told_of_a_gap_and_loses_no_subscription,
    a_missing_peer_degrades_the_bus_until_it_is_heard,
    a_peer_that_is_no_longer_expected_is_not_missed,
    events_can_be_taken_once,
    closing_publishes_what_is_queued_and_ends_the_events,
];

async fn a_message_reaches_the_nodes_that_subscribed_and_no_other(meeting: Meeting) {
    let (ann, mut bob, mut cid) = (meeting.node("ann").await, meeting.node("bob").await, meeting.node("cid").await);
    let (room, other) = (conversation(), conversation());
    bob.subscribes(&room).await;
    cid.subscribes(&other).await;
    ann.says(&room, "to bob");
    ann.says(&other, "to cid");
    bob.hears(&room, "to bob").await;
    cid.hears(&other, "to cid").await;
    ann.says(&room, "to bob again");
    bob.hears(&room, "to bob again").await;
}

async fn a_node_that_subscribed_hears_itself_too(meeting: Meeting) {
    let mut ann = meeting.node("ann").await;
    let room = conversation();
    ann.subscribes(&room).await;
    ann.says(&room, "hello, me");
    ann.hears(&room, "hello, me").await;
}

async fn every_kind_of_topic_carries_any_bytes(meeting: Meeting) {
    let (ann, mut bob) = (meeting.node("ann").await, meeting.node("bob").await);
    let big = Bytes::from(vec![0xC3; 1 << 20]);
    for topic in [conversation(), user("auth0|a:b@c.d_e-f"), Topic::Node(node_id("bob")), Topic::All] {
        bob.subscribes(&topic).await;
        for message in [Bytes::from_static(b""), Bytes::from_static(b"\0\r\n\xff$3"), big.clone()] {
            ann.bus.publish(&topic, message.clone());
            assert_eq!(bob.next_message().await, (topic.clone(), message));
        }
    }
}

async fn what_is_published_after_word_of_the_subscription_arrives(meeting: Meeting) {
    let (ann, mut bob) = (meeting.node("ann").await, meeting.node("bob").await);
    for n in 0..2_000 {
        let topic = conversation();
        bob.subscribes(&topic).await;
        let word = n.to_string();
        ann.says(&topic, &word);
        bob.hears(&topic, &word).await;
        bob.bus.unsubscribe(&topic);
    }
}

async fn messages_of_one_node_arrive_in_order(meeting: Meeting) {
    let (ann, mut bob) = (meeting.node("ann").await, meeting.node("bob").await);
    let room = conversation();
    bob.subscribes(&room).await;
    for n in 0..5_000 {
        ann.says(&room, &n.to_string());
    }
    for n in 0..5_000 {
        bob.hears(&room, &n.to_string()).await;
    }
}

async fn a_left_topic_falls_silent_and_coming_back_is_answered(meeting: Meeting) {
    let (ann, mut bob) = (meeting.node("ann").await, meeting.node("bob").await);
    let (room, other) = (conversation(), conversation());
    bob.subscribes(&other).await;
    for n in 0..50 {
        bob.subscribes(&room).await;
        ann.says(&room, &n.to_string());
        bob.hears(&room, &n.to_string()).await;
        bob.bus.unsubscribe(&room);
        ann.says(&room, "nobody listens");
        ann.says(&other, "after that");
        bob.hears(&other, "after that").await;
    }
}

async fn subscribing_twice_is_harmless_and_answered(meeting: Meeting) {
    let (ann, mut bob) = (meeting.node("ann").await, meeting.node("bob").await);
    let room = conversation();
    bob.subscribes(&room).await;
    bob.subscribes(&room).await;
    ann.says(&room, "once");
    ann.says(&room, "and then");
    bob.hears(&room, "once").await;
    bob.hears(&room, "and then").await;
}

async fn leaving_what_was_never_wanted_is_harmless(meeting: Meeting) {
    let (ann, mut bob) = (meeting.node("ann").await, meeting.node("bob").await);
    let room = conversation();
    bob.bus.unsubscribe(&room);
    bob.bus.unsubscribe(&room);
    bob.subscribes(&room).await;
    ann.says(&room, "hi");
    bob.hears(&room, "hi").await;
}

async fn a_node_that_does_not_read_is_told_of_a_gap_and_loses_no_subscription(meeting: Meeting) {
    let (ann, mut bob) = (meeting.node("ann").await, meeting.node("bob").await);
    let (room, later, counted) = (conversation(), conversation(), conversation());
    bob.subscribes(&room).await;
    let mut cid = meeting.node("cid").await;
    cid.subscribes(&counted).await;
    const FLOOD: usize = 30_000;
    for round in 0..FLOOD / 1_000 {
        for n in 0..1_000 {
            ann.says(&room, &n.to_string());
        }
        // The publisher's own queue is bounded too: it is given time to send this part.
        ann.says(&counted, &round.to_string());
        cid.hears(&counted, &round.to_string()).await;
    }
    bob.bus.subscribe(&later);
    let (mut heard, mut gap, mut live) = (0, false, false);
    while !(gap && live) {
        match bob.next().await {
            BusEvent::Message(..) => heard += 1,
            BusEvent::Gap => gap = true,
            BusEvent::Subscribed(topics) => live = topics.contains(&later),
            BusEvent::State(_) => {}
        }
    }
    assert!(heard < FLOOD, "nothing was lost, so the test proves nothing");
    ann.reaches(&mut bob, &room).await;
}

async fn a_missing_peer_degrades_the_bus_until_it_is_heard(meeting: Meeting) {
    let mut ann = meeting.alert_node("ann").await;
    let bob = meeting.alert_node("bob").await;
    ann.bus.expect_peers(vec![node_id("ann"), node_id("bob")]);
    bob.bus.expect_peers(vec![node_id("ann"), node_id("bob")]);
    bob.bus.close().await;
    ann.is_told(BusState::Degraded).await;
    assert_eq!(ann.bus.state(), BusState::Degraded);
    let _bob_is_back = meeting.alert_node("bob").await;
    ann.is_told(BusState::Up).await;
    ann.has_a_gap().await;
}

async fn a_peer_that_is_no_longer_expected_is_not_missed(meeting: Meeting) {
    let mut ann = meeting.alert_node("ann").await;
    ann.bus.expect_peers(vec![node_id("ghost")]);
    ann.is_told(BusState::Degraded).await;
    ann.bus.expect_peers(Vec::new());
    ann.is_told(BusState::Up).await;
}

async fn events_can_be_taken_once(meeting: Meeting) {
    let ann = meeting.node("ann").await;
    assert!(ann.bus.take_events().is_none());
}

async fn closing_publishes_what_is_queued_and_ends_the_events(meeting: Meeting) {
    let (mut ann, mut bob) = (meeting.node("ann").await, meeting.node("bob").await);
    let room = conversation();
    bob.subscribes(&room).await;
    let words: Vec<String> = (0..500).map(|_| Uuid::new_v4().to_string()).collect();
    for word in &words {
        ann.says(&room, word);
    }
    ann.bus.close().await;
    for word in &words {
        bob.hears(&room, word).await;
    }
    ann.says(&room, "too late, and harmless");
    ann.bus.subscribe(&room);
    ann.bus.close().await;
    assert_eq!(ann.bus.state(), BusState::Degraded);
    drop(ann.bus);
    while ann.events.recv().await.is_some() {}
}

#[tokio::test]
async fn a_hub_that_is_asked_for_faults_drops_doubles_and_reorders() {
    let hub = MemoryHub::default();
    let (ann, mut bob) = (Node::new(hub.join(node_id("ann"))), Node::new(hub.join(node_id("bob"))));
    let room = conversation();
    bob.subscribes(&room).await;
    hub.set_faults(Faults { dropped_per_mille: 100, doubled_per_mille: 100, held_per_mille: 100, seed: 1 });
    (0..1_000).for_each(|n| ann.says(&room, &n.to_string()));
    hub.set_faults(Faults::default());
    ann.says(&room, "1000");
    let mut heard: Vec<u32> = Vec::new();
    while heard.last() != Some(&1_000) {
        heard.push(std::str::from_utf8(&bob.next_message().await.1).unwrap().parse().unwrap());
    }
    assert!(heard.windows(2).any(|pair| pair[0] > pair[1]), "reordered");
    heard.sort_unstable();
    assert!(heard.windows(2).any(|pair| pair[0] == pair[1]), "doubled");
    heard.dedup();
    assert!((800..1_000).contains(&heard.len()), "dropped: {} heard", heard.len());
}

#[tokio::test]
async fn a_node_that_is_cut_off_from_the_hub_is_deaf_and_mute_until_it_is_mended() {
    let hub = MemoryHub::default();
    let (mut ann, mut bob) = (Node::new(hub.join(node_id("ann"))), Node::new(hub.join(node_id("bob"))));
    let room = conversation();
    bob.subscribes(&room).await;
    ann.bus.expect_peers(vec![node_id("bob")]);
    hub.cut(&node_id("bob"));
    for node in [&mut ann, &mut bob] {
        node.is_told(BusState::Degraded).await;
    }
    ann.says(&room, "unheard");
    hub.mend(&node_id("bob"));
    for node in [&mut ann, &mut bob] {
        node.is_told(BusState::Up).await;
        node.has_a_gap().await;
    }
    ann.says(&room, "heard");
    bob.hears(&room, "heard").await;
}
