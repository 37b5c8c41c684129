//! Rookery's own vocabulary: CONTRACT's words, one to one.

mod answer;
mod decode;

use std::borrow::Cow;

use serde::Serialize;
use serde_json::json;

use super::view::EventPayload;
use super::{AckWish, Answer, Args, Ask, Dialect, Emissions, Notice};
use crate::domain::{ChatError, ConversationId, DialectName, Event, Fact, Seq, Signal, UserId};

/// The vocabulary of Rookery's own clients.
pub struct Native;

impl Dialect for Native {
    fn name(&self) -> DialectName {
        "native"
    }

    fn namespace(&self) -> &'static str {
        "/"
    }

    fn reveals(&self, name: &str, _args: Args<'_>) -> bool {
        decode::ONLY_NATIVE.contains(&name)
    }

    fn decode(&self, name: &str, args: Args<'_>) -> Result<Ask, ChatError> {
        decode::decode(name, args)
    }

    fn event(&self, event: &Event, out: &mut Emissions) {
        out.emit(event_name(&event.fact).into_owned(), &EventPayload(event));
    }

    fn signal(&self, signal: &Signal, out: &mut Emissions) {
        match signal {
            Signal::Receipt { conversation, user, from: _, to } => out.emit(
                "receipt",
                &ReceiptJson {
                    conversation_id: *conversation,
                    user_id: user,
                    delivered_seq: to.delivered_seq,
                    read_seq: to.read_seq,
                },
            ),
        }
    }

    fn notice(&self, notice: &Notice, out: &mut Emissions) {
        match notice {
            Notice::Ready { user, session, node, epoch, server_time, limits } => out.emit(
                "session:ready",
                &json!({
                    "userId": user, "sessionId": session, "node": node, "epoch": epoch,
                    "serverTime": server_time, "limits": limits,
                }),
            ),
            Notice::Expiring { expires_at } => out.emit("session:expiring", &json!({ "expiresAt": expires_at })),
            Notice::Drain { reconnect_in_ms } => {
                out.emit("session:drain", &json!({ "reconnectInMs": reconnect_in_ms }))
            }
            Notice::Revoked { reason } => out.emit("session:revoked", &json!({ "reason": reason })),
        }
    }

    fn ack(&self, result: Result<&Answer, &ChatError>) -> Vec<u8> {
        answer::ack(result)
    }

    fn beside(&self, result: Result<&Answer, &ChatError>, ack: AckWish, out: &mut Emissions) {
        match (result, ack) {
            (Err(error), AckWish::None) => out.emit("error", &answer::ErrorJson::of(error)),
            (Err(_), AckWish::Wanted) | (Ok(_), AckWish::Wanted | AckWish::None) => {}
        }
    }

    fn refusal(&self, error: &ChatError) -> String {
        error.to_string()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReceiptJson<'a> {
    conversation_id: ConversationId,
    user_id: &'a UserId,
    delivered_seq: Seq,
    read_seq: Seq,
}

/// The name of an event on the wire. A kind that this version does not know is named as it is stored, `noun.verb`, with a colon.
pub(super) fn event_name(fact: &Fact) -> Cow<'static, str> {
    Cow::Borrowed(match fact {
        Fact::MessageNew(_) => "message:new",
        Fact::MemberAdded { .. } => "member:added",
        Fact::MemberRemoved { .. } => "member:removed",
        Fact::MemberRole { .. } => "member:role",
        Fact::ConversationUpdated(_) => "conversation:updated",
        Fact::ConversationAdded { .. } => "conversation:added",
        Fact::ConversationRemoved { .. } => "conversation:removed",
        Fact::Unknown { kind, .. } => return Cow::Owned(kind.replacen('.', ":", 1)),
    })
}
