//! The native vocabulary: every event, signal, notice and ack.

use std::sync::Arc;

use rookery::domain::{ChatError, ErrorCode, NodeId, Reply, Sent, Seq, Watermarks};
use rookery::protocol::{
    AckWish, Answer, Dialect, Emissions, Joined, Notice, RevokedBecause, SessionLimits, Slot, Stretch, SyncItem,
    Synced, dialect,
};
use serde_json::{Value, json};

use super::things::{
    at, conversation, conversation_id, epoch, events, full_message, in_conversation, other_conversation_id, receipt,
    session_id, user,
};
use super::{emitted, listed};

fn native() -> &'static dyn Dialect {
    dialect(Slot::NATIVE)
}

fn matches(name: &str, shown: &Value) {
    insta::with_settings!({ snapshot_path => "native", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_json_snapshot!(name, shown);
    });
}

#[test]
fn golden_native_events_live_and_listed() {
    for (name, event) in events() {
        let mut out = Emissions::default();
        native().event(&event, &mut out);
        matches(&format!("event_{name}"), &json!({ "live": emitted(out), "listed": listed(&event) }));
    }
}

#[test]
fn golden_native_signals() {
    let mut out = Emissions::default();
    native().signal(&receipt(), &mut out);
    matches("signal_receipt", &emitted(out));
}

#[test]
fn golden_native_notices() {
    let limits = SessionLimits { message_bytes: 65_536, attachment_bytes: 26_214_400, messages_per_10s: 50 };
    let node: NodeId = "node-1".parse().unwrap();
    let ready =
        Notice::Ready { user: user("ann"), session: session_id(), node, epoch: epoch(), server_time: at(0), limits };
    let revoked = |reason| Notice::Revoked { reason };
    for (name, notice) in [
        ("ready", ready),
        ("expiring", Notice::Expiring { expires_at: at(60) }),
        ("drain", Notice::Drain { reconnect_in_ms: 1_500 }),
        ("revoked_logout", revoked(RevokedBecause::Logout)),
        ("revoked_password", revoked(RevokedBecause::Password)),
        ("revoked_revoked", revoked(RevokedBecause::Revoked)),
        ("revoked_banned", revoked(RevokedBecause::Banned)),
    ] {
        let mut out = Emissions::default();
        native().notice(&notice, &mut out);
        matches(&format!("session_{name}"), &emitted(out));
    }
}

fn answers() -> Vec<(&'static str, Answer)> {
    let [(_, first), ..] = &events()[..] else { unreachable!("there are events") };
    let stretch = |complete| {
        let events = vec![Arc::new(first.clone())];
        SyncItem::Stretch(Stretch { from: Seq(6), to: Seq(7), head: Seq(9), complete, events })
    };
    let empty =
        SyncItem::Stretch(Stretch { from: Seq(7), to: Seq(7), head: Seq(7), complete: true, events: Vec::new() });
    let watermarks = Watermarks { delivered_seq: Seq(7), read_seq: Seq(5) };
    let joined = |item| {
        let watermarks = vec![(user("bob"), watermarks)];
        Answer::Joined(Box::new(Joined { epoch: epoch(), item, conversation: conversation(), watermarks }))
    };
    let synced = Synced {
        epoch: epoch(),
        conversations: vec![
            (conversation_id(), stretch(true)),
            (conversation_id(), stretch(false)),
            (other_conversation_id(), SyncItem::NotFound),
            (other_conversation_id(), SyncItem::Reset { head: Seq(4) }),
        ],
        personal: Some(empty.clone()),
        next: Some(other_conversation_id()),
    };
    let bare = Synced { epoch: epoch(), conversations: Vec::new(), personal: None, next: None };
    let sent = |duplicate| Answer::Reply(Reply::Sent(Box::new(Sent { message: full_message(), duplicate })));
    vec![
        ("sent", sent(false)),
        ("sent_before", sent(true)),
        ("receipt", Answer::Reply(Reply::Watermarks(watermarks))),
        ("unchanged", Answer::Reply(Reply::Unchanged)),
        ("changed", Answer::Reply(Reply::Changed(Box::new(in_conversation(first.fact.clone()))))),
        ("synced", Answer::Synced(Box::new(synced))),
        ("synced_nothing", Answer::Synced(Box::new(bare))),
        ("joined", joined(stretch(true))),
        ("joined_at_head", joined(empty)),
        ("joined_reset", joined(SyncItem::Reset { head: Seq(4) })),
        ("left", Answer::Left),
        ("refreshed", Answer::Refreshed { expires_at: at(60) }),
    ]
}

#[test]
fn golden_native_acks() {
    for (name, answer) in answers() {
        let shown: Value = serde_json::from_slice(&native().ack(Ok(&answer))).unwrap();
        matches(&format!("ack_{name}"), &shown);
        for wish in [AckWish::Wanted, AckWish::None] {
            let mut beside = Emissions::default();
            native().beside(Ok(&answer), wish, &mut beside);
            assert!(beside.is_empty(), "{name} says nothing beside its ack");
        }
    }
}

#[test]
fn golden_native_refusals() {
    let late =
        ChatError { retry_after_ms: Some(250), ..ChatError::new(ErrorCode::RateLimited, "too many in a short time") };
    for (name, error) in [("not_found", ChatError::not_found()), ("rate_limited", late)] {
        let ack: Value = serde_json::from_slice(&native().ack(Err(&error))).unwrap();
        let (mut without_ack, mut with_ack) = (Emissions::default(), Emissions::default());
        native().beside(Err(&error), AckWish::None, &mut without_ack);
        native().beside(Err(&error), AckWish::Wanted, &mut with_ack);
        assert!(with_ack.is_empty(), "what is in the ack is not said twice");
        let shown = json!({ "ack": ack, "withoutAck": emitted(without_ack), "handshake": native().refusal(&error) });
        matches(&format!("refused_{name}"), &shown);
    }
}
