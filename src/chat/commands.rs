//! From a command to its reply: what each one is made of below.

use std::time::Duration;

use super::core::Inner;
use super::creation;
use super::log_writer::Answer;
use super::refusal::refusal;
use super::retry::Backoff;
use crate::domain::{
    Act, Actor, ChatError, ClientId, Command, ConversationChange, ConversationDraft, ConversationId, Door, MessageRef,
    Permission, Reply, Seq, UserId, Watermarks,
};
use crate::store::{Advance, Append, StoreError, WriteAct};

/// How often a creation that only met a lock is tried.
const CREATE_ATTEMPTS_MAX: usize = 5;

/// A command under way.
pub(super) enum Pending {
    Refused(ChatError),
    Write(Answer),
    Create(ConversationDraft),
    Receipt { conversation: ConversationId, user: UserId, upto: MessageRef, read: Reads },
}

/// What a receipt says.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reads {
    Read,
    Delivered,
}

impl Inner {
    /// The synchronous half: what must be in order is in order when this returns.
    pub fn begin(&self, actor: Actor, command: Command) -> Result<Pending, ChatError> {
        match command {
            Command::SendMessage { conversation, client_id, draft } => {
                if actor.user.is_none() {
                    return Err(ChatError::invalid("a message needs a sender"));
                }
                self.write(actor, Act::Send, conversation, (client_id, WriteAct::Send(draft)))
            }
            Command::CreateConversation(draft) => creation::checked(*draft).map(Pending::Create),
            Command::UpdateConversation { conversation, patch } => {
                self.write_unnamed(actor, Act::Update, conversation, WriteAct::Update(patch))
            }
            Command::AddMember { conversation, user, role } => {
                self.write_unnamed(actor, Act::AddMember, conversation, WriteAct::AddMember(user, role))
            }
            Command::RemoveMember { conversation, user } => {
                let act = if actor.user.as_ref() == Some(&user) { Act::Leave } else { Act::RemoveMember };
                self.write_unnamed(actor, act, conversation, WriteAct::RemoveMember(user))
            }
            Command::SetRole { conversation, user, role } => {
                self.write_unnamed(actor, Act::SetRole, conversation, WriteAct::SetRole(user, role))
            }
            Command::MarkDelivered { conversation, upto } => receipt(actor, conversation, upto, Reads::Delivered),
            Command::MarkRead { conversation, upto } => receipt(actor, conversation, upto, Reads::Read),
        }
    }

    fn write_unnamed(
        &self,
        actor: Actor,
        act: Act,
        conversation: ConversationId,
        write: WriteAct,
    ) -> Result<Pending, ChatError> {
        self.write(actor, act, conversation, (self.new_client_id(), write))
    }

    fn write(
        &self,
        actor: Actor,
        act: Act,
        conversation: ConversationId,
        (client_id, write): (ClientId, WriteAct),
    ) -> Result<Pending, ChatError> {
        let permission = match actor.door {
            Door::Socket | Door::Rest => Permission::of(act),
            Door::Service | Door::System => Permission::of(act).for_every_member(),
        };
        let (actor, origin) = (actor.user, actor.session);
        let append = Append { conversation, actor, origin, client_id, permission, act: write };
        self.log_writer.append(append).map(Pending::Write)
    }

    pub async fn complete(&self, pending: Pending) -> Result<Reply, ChatError> {
        match pending {
            Pending::Refused(error) => Err(error),
            Pending::Write(answer) => answer.wait().await,
            Pending::Create(draft) => self.create(draft).await,
            Pending::Receipt { conversation, user, upto, read } => {
                let seq = self.place(conversation, upto).await?;
                let read_seq = match read {
                    Reads::Read => seq,
                    Reads::Delivered => Seq::ZERO,
                };
                let to = Watermarks { delivered_seq: seq, read_seq };
                self.receipts.advance(Advance { conversation, user, to }).await.map(Reply::Watermarks)
            }
        }
    }

    async fn create(&self, draft: ConversationDraft) -> Result<Reply, ChatError> {
        let mut backoff = Backoff::new(self.seed, Duration::from_millis(10), Duration::from_millis(200));
        let mut attempt = 1;
        let change = loop {
            match self.within(self.store.create_conversation(&draft)).await {
                Err(StoreError::Busy(_)) if attempt < CREATE_ATTEMPTS_MAX => {
                    attempt += 1;
                    tokio::time::sleep(backoff.wait()).await;
                }
                Err(StoreError::Refused(_)) => return Err(ChatError::invalid("memberIds names an unknown user")),
                outcome => break outcome.map_err(|error| refusal("creating a conversation", &error))?,
            }
        };
        if matches!(change, ConversationChange::Created(_)) {
            self.outbox.notify_one();
        }
        Ok(Reply::Conversation(Box::new(change)))
    }

    /// A message of another conversation is no place in this one.
    async fn place(&self, conversation: ConversationId, upto: MessageRef) -> Result<Seq, ChatError> {
        let id = match upto {
            MessageRef::Seq(seq) => return Ok(seq),
            MessageRef::Message(id) => id,
        };
        let message =
            self.within(self.store.message(id)).await.map_err(|error| refusal("finding a message", &error))?;
        message
            .filter(|message| message.conversation_id == conversation)
            .map(|message| message.seq)
            .ok_or_else(ChatError::not_found)
    }
}

fn receipt(actor: Actor, conversation: ConversationId, upto: MessageRef, read: Reads) -> Result<Pending, ChatError> {
    let user = actor.user.ok_or_else(|| ChatError::invalid("a receipt needs a user"))?;
    Ok(Pending::Receipt { conversation, user, upto, read })
}
