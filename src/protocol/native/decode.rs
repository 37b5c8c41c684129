//! What a native client's events ask for.

use std::borrow::Cow;
use std::collections::HashSet;

use super::super::fields::{Fields, seq, text};
use super::super::{All, Args, Ask, CURSORS_MAX, OwnAsk, SendAsk, SyncAsk};
use crate::domain::{ChatError, Command, ConversationId, Epoch, MessageRef, Seq};

/// Events that no other vocabulary has.
pub(super) const ONLY_NATIVE: [&str; 4] = ["sync", "receipt:read", "receipt:delivered", "auth:refresh"];

/// More mentions than the core takes, few enough to read.
const MENTIONS_READ_MAX: usize = 1_000;

pub(super) fn decode(name: &str, args: Args<'_>) -> Result<Ask, ChatError> {
    let parse = match name {
        "sync" => sync,
        "conversation:join" => join,
        "conversation:leave" => leave,
        "message:send" => send,
        "receipt:delivered" => delivered,
        "receipt:read" => read,
        "auth:refresh" => refresh,
        _ => return Err(ChatError::invalid("no such event")),
    };
    let (Some(payload), 1) = (args.first, args.count) else {
        return Err(ChatError::invalid("payload: must be one object"));
    };
    parse(&Fields::parse("payload", payload)?)
}

fn sync(fields: &Fields<'_>) -> Result<Ask, ChatError> {
    let all = match (fields.optional_id("next")?, fields.switch("all")?) {
        (Some(next), _) => All::After(next),
        (None, true) => All::FromStart,
        (None, false) => All::No,
    };
    Ok(Ask::Own(OwnAsk::Sync(Box::new(SyncAsk {
        cursors: cursors(fields)?,
        personal: fields.optional_seq("personal")?,
        all,
        epoch: fields.optional_id::<Epoch>("epoch")?,
    }))))
}

fn cursors(fields: &Fields<'_>) -> Result<Vec<(ConversationId, Option<Seq>)>, ChatError> {
    let Some(value) = fields.optional("cursors") else { return Ok(Vec::new()) };
    let entries = Fields::parse_up_to(CURSORS_MAX, "cursors", value.get())?;
    let mut cursors = Vec::new();
    let mut seen = HashSet::new();
    for (name, cursor) in entries.iter() {
        let conversation: ConversationId =
            name.parse().map_err(|_| ChatError::invalid("cursors: every name must be a conversation's id"))?;
        let cursor = match cursor.get() {
            "null" => None,
            _ => Some(seq("cursors", cursor.get())?),
        };
        if !seen.insert(conversation) {
            return Err(ChatError::invalid("cursors: must not have a conversation twice"));
        }
        cursors.push((conversation, cursor));
    }
    Ok(cursors)
}

fn join(fields: &Fields<'_>) -> Result<Ask, ChatError> {
    Ok(Ask::Own(OwnAsk::Join { conversation: fields.id("conversationId")?, cursor: fields.optional_seq("cursor")? }))
}

fn leave(fields: &Fields<'_>) -> Result<Ask, ChatError> {
    Ok(Ask::Own(OwnAsk::Leave { conversation: fields.id("conversationId")? }))
}

fn send(fields: &Fields<'_>) -> Result<Ask, ChatError> {
    fields.list("attachments", 0, |_| Ok(()))?;
    Ok(Ask::Send(Box::new(SendAsk {
        conversation: fields.id("conversationId")?,
        client_id: Some(fields.id("clientId")?),
        content: fields.required("content")?.to_owned(),
        kind: fields.optional_text("type")?.map(Cow::into_owned),
        reply_to: fields.optional_id("replyTo")?,
        mentions: fields
            .list("mentions", MENTIONS_READ_MAX, |user| text("mentions", user.get()).map(Cow::into_owned))?,
    })))
}

fn delivered(fields: &Fields<'_>) -> Result<Ask, ChatError> {
    let (conversation, upto) = (fields.id("conversationId")?, MessageRef::Seq(fields.seq("seq")?));
    Ok(Ask::Command(Command::MarkDelivered { conversation, upto }))
}

fn read(fields: &Fields<'_>) -> Result<Ask, ChatError> {
    let (conversation, upto) = (fields.id("conversationId")?, MessageRef::Seq(fields.seq("seq")?));
    Ok(Ask::Command(Command::MarkRead { conversation, upto }))
}

fn refresh(fields: &Fields<'_>) -> Result<Ask, ChatError> {
    Ok(Ask::Own(OwnAsk::Refresh { token: fields.text("token")?.into() }))
}
