//! One pair of connections, one to publish and one to listen, from its opening to its end.

use std::time::Duration;

use bytes::Bytes;
use fred::clients::Client;
use fred::error::{Error, ErrorKind};
use fred::interfaces::{ClientLike, EventInterface, PubsubInterface};
use fred::types::{ConnectHandle, Message, Value};
use futures_util::poll;
use tokio::sync::broadcast;

use super::channel::ChannelNames;
use super::outgoing::Batch;
use super::settings::{Connector, Layout, Purpose};
use crate::bus::Topic;

/// How often a timed-out subscription is tried again before the link is given up. The library reads before it writes, so
/// a flood of messages can hold a command back without anything being broken.
const SUBSCRIBE_TRIES: u32 = 4;

/// A live pair of connections. It does not heal: when either ends, both are replaced.
pub(super) struct Link {
    subscriber: Running,
    publisher: Running,
    names: ChannelNames,
}

/// A client and the task that drives its connection, which ends with this value.
struct Running {
    client: Client,
    task: ConnectHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Running {
    /// Connects, or fails within the deadlines of the connector.
    async fn start(client: Client, deadline: Duration) -> Result<Self, Error> {
        // Waiting begins before connecting, because the library tells the result once, and only to those who wait already.
        let waiting = client.clone();
        let mut connected = std::pin::pin!(waiting.wait_for_connect());
        if poll!(connected.as_mut()).is_ready() {
            return Err(Error::new(ErrorKind::Unknown, "a fresh client is connected already"));
        }
        let task = client.connect();
        let running = Self { client, task };
        let timed_out = |_| Err(Error::new(ErrorKind::Timeout, "connecting took too long"));
        tokio::time::timeout(deadline, connected).await.unwrap_or_else(timed_out)?;
        Ok(running)
    }
}

/// The publishing half, for the publisher's task.
#[derive(Clone)]
pub(super) struct Publisher {
    client: Client,
    names: ChannelNames,
}

impl Link {
    /// Opens both connections.
    pub async fn open(connector: &Connector, names: ChannelNames, deadline: Duration) -> Result<Self, Error> {
        let subscriber = Running::start(connector.client(Purpose::Subscribing)?, deadline).await?;
        let publisher = Running::start(connector.client(Purpose::Publishing)?, deadline).await?;
        Ok(Self { subscriber, publisher, names })
    }

    /// The publishing half.
    pub fn publisher(&self) -> Publisher {
        Publisher { client: self.publisher.client.clone(), names: self.names.clone() }
    }

    /// What arrives from now on.
    pub fn messages(&self) -> broadcast::Receiver<Message> {
        self.subscriber.client.message_rx()
    }

    /// Subscribes and waits until the server has done it: what is published after this has returned arrives.
    pub async fn subscribe(&self, topics: &[Topic]) -> Result<(), Error> {
        let channels = topics.iter().map(|topic| self.names.name(topic)).collect();
        for command in self.names.commands(channels) {
            let mut tries_left = SUBSCRIBE_TRIES;
            while let Err(error) = self.subscribe_once(command.clone()).await {
                tries_left -= 1;
                if *error.kind() != ErrorKind::Timeout || tries_left == 0 {
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    async fn subscribe_once(&self, channels: Vec<String>) -> Result<(), Error> {
        let client = &self.subscriber.client;
        match self.names.layout() {
            Layout::OneServer => {
                // The library answers SUBSCRIBE when it is about to be written, and throws its confirmations away. The
                // answer to a PING behind it on the same connection stands for them. Both go out in one piece: a refusal
                // that came back before the PING was noted as sent would be thrown away too, and the PING be answered.
                let together = client.pipeline();
                together.subscribe(channels).await?;
                together.ping::<()>(None).await?;
                together.last::<()>().await
            }
            Layout::Cluster => client.ssubscribe(channels).await,
        }
    }

    /// Unsubscribes; messages that are on their way still arrive.
    pub async fn unsubscribe(&self, topics: &[Topic]) -> Result<(), Error> {
        let channels = topics.iter().map(|topic| self.names.name(topic)).collect();
        for command in self.names.commands(channels) {
            match self.names.layout() {
                Layout::OneServer => self.subscriber.client.unsubscribe(command).await?,
                Layout::Cluster => self.subscriber.client.sunsubscribe(command).await?,
            }
        }
        Ok(())
    }

    /// Drops both connections and waits until their tasks are gone, which takes no round trip.
    pub async fn close(mut self) {
        for running in [&mut self.subscriber, &mut self.publisher] {
            running.task.abort();
            if !running.task.is_finished() {
                let _ = (&mut running.task).await;
            }
        }
    }

    /// Waits until either connection has ended, and says why.
    pub async fn ended(&mut self) -> String {
        let (name, result) = tokio::select! {
            result = &mut self.subscriber.task => ("subscribing", result),
            result = &mut self.publisher.task => ("publishing", result),
        };
        match result {
            Ok(Ok(())) => format!("the {name} connection was closed"),
            Ok(Err(error)) => format!("the {name} connection ended: {error}"),
            Err(error) => format!("the task of the {name} connection ended: {error}"),
        }
    }
}

impl Publisher {
    /// Publishes a batch in one go, in order. After an error any part of it may have been published.
    pub async fn publish(&self, batch: &Batch) -> Result<(), Error> {
        let pipeline = self.client.pipeline();
        let probe = batch.probe.as_ref().map(|probe| (&Topic::All, probe));
        let messages = batch.parcels.iter().map(|parcel| (&parcel.topic, &parcel.message));
        for (topic, message) in probe.into_iter().chain(messages) {
            let (channel, message) = (self.names.name(topic), Value::Bytes(Bytes::clone(message)));
            match self.names.layout() {
                Layout::OneServer => pipeline.publish::<(), _, _>(channel, message).await?,
                Layout::Cluster => pipeline.spublish::<(), _, _>(channel, message).await?,
            }
        }
        pipeline.all::<Value>().await.map(|_| ())
    }
}
