//! Reads what arrives on a link and hands it over; does nothing that could make it slow.

use fred::types::Message;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use super::bus::Shared;
use super::probe::Probe;
use crate::bus::Topic;
use crate::bus::fate::Fate;
use crate::telemetry::metrics;

/// Hands over until the link's channel is closed.
pub(super) async fn listen(shared: &Shared, mut messages: broadcast::Receiver<Message>) {
    loop {
        match messages.recv().await {
            Ok(message) => hand_over(shared, message),
            Err(RecvError::Lagged(count)) => {
                metrics::bus_lagged(count);
                shared.handover.gap();
            }
            Err(RecvError::Closed) => return,
        }
    }
}

fn hand_over(shared: &Shared, message: Message) {
    let Some(topic) = shared.names.topic(&message.channel) else { return };
    let Some(bytes) = message.value.into_bytes() else { return };
    if topic == Topic::All && Probe::is_probe(&bytes) {
        if let Some(probe) = Probe::decode(&bytes) {
            shared.watch.lock().heard(probe, Instant::now());
            shared.heard.notify_one();
        }
        return;
    }
    if shared.interest.lock().wants(&topic) {
        shared.handover.message(topic, bytes, Fate::by_failpoint());
    }
}
