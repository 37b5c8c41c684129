//! A node of a bus under test, with the verbs the contract speaks.

use std::time::Duration;

use bytes::Bytes;
use rookery::bus::{Bus, BusEvent, BusState, BusTiming, MemoryHub, RedisBus, RedisSettings, Topic};
use rookery::domain::{ConversationId, NodeId, UserId};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use crate::support::backends::{private_redis, unique_prefix};
use crate::support::deadline::{DEADLINE, until};
use crate::support::redis::Redis;

/// Where the nodes of one test meet.
pub enum Meeting {
    Memory(MemoryHub),
    Redis { server: Redis, prefix: String },
}

impl Meeting {
    pub fn in_memory() -> Self {
        Self::Memory(MemoryHub::default())
    }

    pub async fn over_redis() -> Option<Self> {
        Some(Self::Redis { server: private_redis().await?, prefix: unique_prefix() })
    }

    /// A node joins and is up; a busy machine does not make it doubt its connections.
    pub async fn node(&self, name: &str) -> Node {
        self.node_with(name, calm()).await
    }

    /// A node joins and is up, and soon notices whom it does not hear.
    pub async fn alert_node(&self, name: &str) -> Node {
        self.node_with(name, alert()).await
    }

    async fn node_with(&self, name: &str, timing: BusTiming) -> Node {
        let bus: Box<dyn Bus> = match self {
            Self::Memory(hub) => Box::new(hub.join(node_id(name))),
            Self::Redis { server, prefix } => Box::new(connect(&server.url(), prefix, name, timing).await),
        };
        let node = Node::boxed(bus);
        node.is(BusState::Up).await;
        node
    }
}

pub fn node_id(name: &str) -> NodeId {
    NodeId::parse(name).unwrap()
}

pub fn conversation() -> Topic {
    Topic::Conversation(ConversationId::from_uuid(Uuid::now_v7()))
}

pub fn user(name: &str) -> Topic {
    Topic::User(UserId::parse(name).unwrap())
}

/// For tests of what is noticed: as impatient as a busy machine allows.
pub fn alert() -> BusTiming {
    BusTiming {
        probe_interval: Duration::from_millis(200),
        linger: Duration::from_millis(100),
        peer_patience: Duration::from_millis(500),
        ..BusTiming::default()
    }
}

/// For tests of what arrives: only a broken connection is replaced, and nothing is given up.
pub fn calm() -> BusTiming {
    BusTiming {
        probe_interval: Duration::from_secs(60),
        publish_patience: Duration::from_secs(60),
        command_timeout: Duration::from_secs(5),
        ..alert()
    }
}

pub fn settings(url: &str, prefix: &str, name: &str, timing: BusTiming) -> RedisSettings {
    let (url, prefix) = (url.to_owned(), prefix.to_owned());
    RedisSettings { url, prefix, node: node_id(name), instance: Uuid::new_v4(), timing }
}

pub async fn connect(url: &str, prefix: &str, name: &str, timing: BusTiming) -> RedisBus {
    RedisBus::connect(settings(url, prefix, name, timing)).await.unwrap()
}

/// A bus and the end of its events.
pub struct Node {
    pub bus: Box<dyn Bus>,
    pub events: mpsc::Receiver<BusEvent>,
}

impl Node {
    pub fn new(bus: impl Bus + 'static) -> Self {
        Self::boxed(Box::new(bus))
    }

    fn boxed(bus: Box<dyn Bus>) -> Self {
        let events = bus.take_events().unwrap();
        Self { bus, events }
    }

    pub async fn next(&mut self) -> BusEvent {
        timeout(DEADLINE, self.events.recv()).await.expect("an event in time").expect("the bus is open")
    }

    /// The next event for which `pick` answers something.
    pub async fn next_where<T>(&mut self, what: &str, pick: impl Fn(BusEvent) -> Option<T>) -> T {
        let search = async {
            loop {
                if let Some(found) = pick(self.events.recv().await.expect("the bus is open")) {
                    return found;
                }
            }
        };
        timeout(DEADLINE, search).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
    }

    /// Subscribes and waits for word that it is live.
    pub async fn subscribes(&mut self, topic: &Topic) {
        self.bus.subscribe(topic);
        self.is_live(topic).await;
    }

    pub async fn is_live(&mut self, topic: &Topic) {
        let live = |event| match event {
            BusEvent::Subscribed(topics) => topics.contains(topic).then_some(()),
            BusEvent::Message(..) | BusEvent::Gap | BusEvent::State(_) => None,
        };
        self.next_where("a subscription becomes live", live).await;
    }

    pub async fn next_message(&mut self) -> (Topic, Bytes) {
        let message = |event| match event {
            BusEvent::Message(topic, message) => Some((topic, message)),
            BusEvent::Subscribed(_) | BusEvent::Gap | BusEvent::State(_) => None,
        };
        self.next_where("a message", message).await
    }

    /// The next message is this one.
    pub async fn hears(&mut self, topic: &Topic, message: &str) {
        assert_eq!(self.next_message().await, (topic.clone(), Bytes::copy_from_slice(message.as_bytes())));
    }

    pub async fn has_a_gap(&mut self) {
        self.next_where("a gap", |event| (event == BusEvent::Gap).then_some(())).await;
    }

    pub async fn is_told(&mut self, state: BusState) {
        self.next_where(&format!("{state:?}"), |event| (event == BusEvent::State(state)).then_some(())).await;
    }

    /// Waits for a state without taking events.
    pub async fn is(&self, state: BusState) {
        until(&format!("the bus becomes {state:?}"), async || (self.bus.state() == state).then_some(())).await;
    }

    /// Publishes a text.
    pub fn says(&self, topic: &Topic, message: &str) {
        self.bus.publish(topic, Bytes::copy_from_slice(message.as_bytes()));
    }

    /// Says something again and again until the other hears it: for links that are coming back.
    pub async fn reaches(&self, other: &mut Self, topic: &Topic) {
        let word = Uuid::new_v4().to_string();
        let end = Instant::now() + DEADLINE;
        loop {
            assert!(Instant::now() < end, "a message does not get through");
            self.says(topic, &word);
            let heard = async { while other.next_message().await.1 != word.as_bytes() {} };
            if timeout(Duration::from_millis(250), heard).await.is_ok() {
                return;
            }
        }
    }
}
