//! A bus that goes nowhere: writes down what it is asked, and brings what the test puts in.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use rookery::bus::{Bus, BusEvent, BusState, Envelope, Topic};
use rookery::domain::NodeId;
use tokio::sync::mpsc;

pub struct SpyBus {
    pub published: Mutex<Vec<Envelope>>,
    /// Subscribed now.
    pub topics: Mutex<Vec<Topic>>,
    tx: mpsc::Sender<BusEvent>,
    rx: Mutex<Option<mpsc::Receiver<BusEvent>>>,
}

impl SpyBus {
    pub fn new() -> Arc<Self> {
        let (tx, rx) = mpsc::channel(100);
        Arc::new(Self { published: Mutex::default(), topics: Mutex::default(), tx, rx: Mutex::new(Some(rx)) })
    }

    /// Something arrives.
    pub async fn bring(&self, event: BusEvent) {
        self.tx.send(event).await.unwrap();
    }
}

#[async_trait]
impl Bus for SpyBus {
    fn publish(&self, _topic: &Topic, message: Bytes) {
        self.published.lock().unwrap().push(Envelope::decode(&message).unwrap());
    }

    fn subscribe(&self, topic: &Topic) {
        self.topics.lock().unwrap().push(topic.clone());
    }

    fn unsubscribe(&self, topic: &Topic) {
        self.topics.lock().unwrap().retain(|other| other != topic);
    }

    fn expect_peers(&self, _peers: Vec<NodeId>) {}

    fn take_events(&self) -> Option<mpsc::Receiver<BusEvent>> {
        self.rx.lock().unwrap().take()
    }

    fn state(&self) -> BusState {
        BusState::Up
    }

    async fn close(&self) {}
}
