//! What a device reports: every act of its own and everything its application saw, in order.

use serde_json::{Map, Value};

/// One thing that happened at one device.
#[derive(Debug, Clone)]
pub struct Observation {
    /// Wall-clock milliseconds.
    pub at: f64,
    pub what: What,
}

/// The kinds of things; the conversation is its id, `seq` is the place in its feed.
#[derive(Debug, Clone)]
pub enum What {
    Connect,
    Disconnect,
    /// Begins to read after `cursor`, or from the head when there is none.
    Follow {
        conversation: String,
        cursor: Option<u64>,
    },
    /// A reader from the head has learned where that is.
    Attached {
        conversation: String,
        cursor: u64,
    },
    /// A message was put into the outbox.
    Invoke {
        conversation: String,
        client_id: String,
    },
    /// It was answered `ok`.
    Ack(Ack),
    /// It was finally refused.
    Failed {
        client_id: String,
        attempts: u64,
    },
    /// It had no answer when the device gave up.
    Unknown {
        client_id: String,
    },
    /// The application saw an event.
    Deliver(Delivery),
    /// An event arrived before the one that precedes it; the device repaired that.
    Gap {
        conversation: String,
    },
    /// The node said that the cursor belongs to another history.
    Reset {
        conversation: String,
    },
}

/// A send that was answered `ok`.
#[derive(Debug, Clone)]
pub struct Ack {
    pub conversation: String,
    pub client_id: String,
    pub seq: u64,
    pub message: String,
    /// How often it was sent, this time included.
    pub attempts: u64,
    /// The device's connection (1, 2, …) that carried the last attempt.
    pub connection: u64,
}

/// An event as the application saw it.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub conversation: String,
    pub seq: u64,
    /// The name on the wire.
    pub event: String,
    /// Of a new message: its id, the clientId and the sender.
    pub message: Option<(String, Option<String>, String)>,
    pub content: Option<Value>,
    /// Of a message: when the store wrote it, milliseconds since 1970.
    pub created_at: Option<f64>,
}

/// Whatever records what one device saw.
pub trait Recorder {
    /// A name that no other device of the run has.
    fn device(&self) -> String;
    fn user(&self) -> String;
    fn observations(&self) -> Vec<Observation>;
}

impl Observation {
    /// Reads a line of the driver; `None` for kinds that no rule looks at.
    pub fn parse(at: f64, kind: &str, fields: &Map<String, Value>) -> Option<Self> {
        let text = |key: &str| fields.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let number = |key: &str| fields.get(key).and_then(Value::as_u64);
        let conversation = text("conversationId");
        let what = match kind {
            "connect" => What::Connect,
            "disconnect" => What::Disconnect,
            "follow" => What::Follow { conversation, cursor: number("cursor") },
            "attached" => What::Attached { conversation, cursor: number("cursor")? },
            "invoke" => What::Invoke { conversation, client_id: text("clientId") },
            "ack" => What::Ack(Ack {
                conversation,
                client_id: text("clientId"),
                seq: number("seq")?,
                message: text("messageId"),
                attempts: number("attempts")?,
                connection: number("connection")?,
            }),
            "failed" => What::Failed { client_id: text("clientId"), attempts: number("attempts")? },
            "unknown" => What::Unknown { client_id: text("clientId") },
            "deliver" => What::Deliver(Delivery {
                conversation,
                seq: number("seq")?,
                event: text("event"),
                message: fields
                    .get("messageId")
                    .map(|_| (text("messageId"), Some(text("clientId")).filter(|id| !id.is_empty()), text("senderId"))),
                content: fields.get("content").cloned(),
                created_at: fields.get("createdAt").and_then(Value::as_str).and_then(unix_ms),
            }),
            "gap" => What::Gap { conversation },
            "reset" => What::Reset { conversation },
            _ => return None,
        };
        Some(Self { at, what })
    }
}

fn unix_ms(rfc3339: &str) -> Option<f64> {
    let at = time::OffsetDateTime::parse(rfc3339, &time::format_description::well_known::Rfc3339).ok()?;
    Some(at.unix_timestamp_nanos() as f64 / 1e6)
}
