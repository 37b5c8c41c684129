//! Things of the domain with every field filled, to be shown in every vocabulary.

use rookery::domain::{
    ClientId, Content, Conversation, ConversationId, ConversationKind, Epoch, Event, Fact, FeedId, Message, MessageId,
    MessageKind, ProfileCard, Reaction, ReplyTo, Role, Seq, SessionId, Signal, Timestamp, UserId, Watermarks,
};
use serde_json::value::RawValue;

pub fn conversation_id() -> ConversationId {
    "01935af1-0000-7000-8000-000000000001".parse().unwrap()
}

pub fn other_conversation_id() -> ConversationId {
    "01935af1-0000-7000-8000-000000000002".parse().unwrap()
}

pub fn message_id() -> MessageId {
    "01935af1-0000-7000-8000-0000000000a1".parse().unwrap()
}

pub fn session_id() -> SessionId {
    "01935af1-0000-7000-8000-0000000000b1".parse().unwrap()
}

pub fn epoch() -> Epoch {
    "01935af1-0000-7000-8000-0000000000e1".parse().unwrap()
}

pub fn user(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}

pub fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_ms(1_795_222_923_004 + second * 1_000)
}

pub fn conversation() -> Conversation {
    Conversation {
        id: conversation_id(),
        kind: ConversationKind::Group,
        title: Some("Rooks".into()),
        avatar: Some("https://example.com/rooks.png".into()),
        retention_days: Some(30),
        created_at: at(0),
        head: Seq(7),
    }
}

/// A message with nothing left out.
pub fn full_message() -> Message {
    Message {
        id: message_id(),
        conversation_id: conversation_id(),
        seq: Seq(7),
        sender_id: "ann".into(),
        sender: ProfileCard { id: "ann".into(), name: "Ann".into(), username: None, avatar: Some("/a.png".into()) },
        client_id: Some(ClientId::parse("c-1").unwrap()),
        kind: MessageKind::default(),
        content: Some(Content::Text("line\nand \"quotes\" \u{1F426}".into())),
        attachments: Vec::new(),
        reply_to: Some(ReplyTo { id: message_id(), sender_id: "bob".into(), excerpt: Some("hi".into()) }),
        mentions: vec![user("bob")],
        reactions: vec![Reaction { emoji: "\u{1F44D}".into(), count: 60, user_ids: vec![user("bob"), user("cyd")] }],
        pinned_at: Some(at(1)),
        created_at: at(2),
        edited_at: Some(at(3)),
        deleted_at: None,
    }
}

/// A message with nothing but what it must have.
pub fn bare_message() -> Message {
    Message {
        sender_id: "deleted".into(),
        sender: ProfileCard { id: "deleted".into(), name: "deleted".into(), username: None, avatar: None },
        client_id: None,
        content: None,
        reply_to: None,
        mentions: Vec::new(),
        reactions: Vec::new(),
        pinned_at: None,
        edited_at: None,
        deleted_at: Some(at(4)),
        ..full_message()
    }
}

/// A message whose content is an object.
pub fn object_message() -> Message {
    let object = RawValue::from_string(r#"{"poll":["yes","no"],"n":1.50}"#.into()).unwrap();
    Message { kind: MessageKind("poll".into()), content: Some(Content::Object(object)), ..full_message() }
}

pub fn in_conversation(fact: Fact) -> Event {
    event(FeedId::Conversation(conversation_id()), fact)
}

pub fn personal(fact: Fact) -> Event {
    event(FeedId::User(user("ann")), fact)
}

fn event(feed: FeedId, fact: Fact) -> Event {
    Event { feed, seq: Seq(7), at: at(5), actor: Some(user("ann")), origin: Some(session_id()), fact }
}

/// Every kind of event, by name.
pub fn events() -> Vec<(&'static str, Event)> {
    let unknown = |kind: &str, body: &str| Fact::Unknown {
        kind: kind.into(),
        version: 2,
        body: RawValue::from_string(body.into()).unwrap(),
    };
    let added = Fact::ConversationAdded { conversation: Box::new(conversation()), from_seq: Seq(6) };
    let removed = Fact::ConversationRemoved { conversation: conversation_id() };
    vec![
        ("message_new", in_conversation(Fact::MessageNew(Box::new(full_message())))),
        ("message_new_deleted", in_conversation(Fact::MessageNew(Box::new(bare_message())))),
        ("message_new_object", in_conversation(Fact::MessageNew(Box::new(object_message())))),
        (
            "member_added",
            in_conversation(Fact::MemberAdded { user: user("bob"), role: Role::Member, by: Some(user("ann")) }),
        ),
        (
            "member_added_by_service",
            in_conversation(Fact::MemberAdded { user: user("bob"), role: Role::Admin, by: None }),
        ),
        ("member_removed", in_conversation(Fact::MemberRemoved { user: user("bob"), by: Some(user("bob")) })),
        (
            "member_role",
            in_conversation(Fact::MemberRole { user: user("bob"), role: Role::Owner, by: Some(user("ann")) }),
        ),
        ("conversation_updated", in_conversation(Fact::ConversationUpdated(Box::new(conversation())))),
        ("conversation_added", personal(added)),
        ("conversation_removed", personal(removed)),
        ("unknown", in_conversation(unknown("poll.opened", r#"{"pollId":"p1","seq":0,"event":"x"}"#))),
        ("unknown_personal", personal(unknown("poll.opened", r#"{"personalSeq":0,"conversationId":"c"}"#))),
        ("unknown_without_fields", in_conversation(unknown("poll.closed", "[1]"))),
    ]
}

pub fn receipt() -> Signal {
    Signal::Receipt {
        conversation: conversation_id(),
        user: user("bob"),
        from: Watermarks { delivered_seq: Seq(3), read_seq: Seq(2) },
        to: Watermarks { delivered_seq: Seq(7), read_seq: Seq(5) },
    }
}
