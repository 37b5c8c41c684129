//! What can be asked without changing anything. Who is no member is told the same as of a conversation that is not there.

use super::refusal::refusal;
use super::{Chat, core::Inner};
use crate::domain::{
    ChatError, Conversation, ConversationId, ConversationView, FeedId, Member, Message, MessageId, Profile, Role, Seq,
    UserId, Watermarks,
};
use crate::store::{EventPage, Page, PageAsk, StoreError};

/// Members that a conversation is shown with.
const ROSTER_MAX: usize = 200;
/// Items of one page of the store.
const PAGE_ITEMS_MAX: u32 = 100;

impl Chat {
    /// The role of a member, for whom it is no secret that the conversation exists.
    ///
    /// # Errors
    /// `not_found` for everybody else.
    pub async fn role_of(&self, user: &UserId, conversation: ConversationId) -> Result<Role, ChatError> {
        let member = self.inner.ask("reading a role", self.inner.store.member(conversation, user)).await?;
        member.map(|member| member.role).ok_or_else(ChatError::not_found)
    }

    /// One member, as another member sees them.
    ///
    /// # Errors
    /// `not_found` when either is none; `unavailable`.
    pub async fn member(&self, caller: &UserId, id: ConversationId, user: &UserId) -> Result<Member, ChatError> {
        self.role_of(caller, id).await?;
        let member = self.inner.ask("reading a member", self.inner.store.member(id, user)).await?;
        member.ok_or_else(ChatError::not_found)
    }

    /// A conversation as the service API sees it.
    ///
    /// # Errors
    /// `not_found`; `unavailable`.
    pub async fn any_conversation(&self, id: ConversationId) -> Result<Conversation, ChatError> {
        let conversation = self.inner.ask("reading a conversation", self.inner.store.conversation(id)).await?;
        conversation.ok_or_else(ChatError::not_found)
    }

    /// A user's conversations, the most recently active first.
    ///
    /// # Errors
    /// `invalid` for a cursor that is none.
    pub async fn conversations_of(&self, user: &UserId, page: &PageAsk) -> Result<Page<ConversationView>, ChatError> {
        self.inner.ask_page("listing conversations", self.inner.store.conversations_of(user, page)).await
    }

    /// One conversation as this member sees it.
    ///
    /// # Errors
    /// `not_found` for others.
    pub async fn conversation(&self, user: &UserId, id: ConversationId) -> Result<ConversationView, ChatError> {
        let view = self.inner.ask("reading a conversation", self.inner.store.conversation_view(id, user)).await?;
        view.ok_or_else(ChatError::not_found)
    }

    /// Ids of a user's conversations after `after`, in id order, at most `limit` (≤ 500).
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn conversation_ids_of(
        &self,
        user: &UserId,
        after: Option<ConversationId>,
        limit: u32,
    ) -> Result<Vec<ConversationId>, ChatError> {
        let ids = self.inner.store.conversation_ids_of(user, after, limit);
        self.inner.ask("listing ids of conversations", ids).await
    }

    /// The members in order of joining.
    ///
    /// # Errors
    /// `not_found` for those who are none, `invalid` for a cursor that is none.
    pub async fn members(&self, user: &UserId, id: ConversationId, page: &PageAsk) -> Result<Page<Member>, ChatError> {
        self.role_of(user, id).await?;
        self.inner.ask_page("listing members", self.inner.store.members(id, page)).await
    }

    /// The first 200 members in order of joining, as a conversation is shown with.
    ///
    /// # Errors
    /// `not_found` for those who are none.
    pub async fn roster(&self, user: &UserId, id: ConversationId) -> Result<Vec<Member>, ChatError> {
        self.role_of(user, id).await?;
        let mut roster = Vec::new();
        let mut ask = PageAsk { cursor: None, limit: PAGE_ITEMS_MAX };
        loop {
            let page = self.inner.ask_page("listing members", self.inner.store.members(id, &ask)).await?;
            roster.extend(page.items);
            if roster.len() >= ROSTER_MAX || page.next_cursor.is_none() {
                roster.truncate(ROSTER_MAX);
                return Ok(roster);
            }
            ask.cursor = page.next_cursor;
        }
    }

    /// How far the members have come, those who moved last first, at most `limit` (≤ 200).
    ///
    /// # Errors
    /// `not_found` for those who are none.
    pub async fn watermarks(
        &self,
        user: &UserId,
        id: ConversationId,
        limit: u32,
    ) -> Result<Vec<(UserId, Watermarks)>, ChatError> {
        self.role_of(user, id).await?;
        self.inner.ask("reading watermarks", self.inner.store.watermarks(id, limit)).await
    }

    /// History below `before` (or below the end), newest first, at most `limit` (≤ 100).
    ///
    /// # Errors
    /// `not_found` for those who are no members.
    pub async fn messages_before(
        &self,
        user: &UserId,
        id: ConversationId,
        before: Option<Seq>,
        limit: u32,
    ) -> Result<Vec<Message>, ChatError> {
        self.role_of(user, id).await?;
        self.inner.ask("reading history", self.inner.store.messages_before(id, before, limit)).await
    }

    /// History above `after`, oldest first, at most `limit` (≤ 100).
    ///
    /// # Errors
    /// `not_found` for those who are no members.
    pub async fn messages_after(
        &self,
        user: &UserId,
        id: ConversationId,
        after: Seq,
        limit: u32,
    ) -> Result<Vec<Message>, ChatError> {
        self.role_of(user, id).await?;
        self.inner.ask("reading history", self.inner.store.messages_after(id, after, limit)).await
    }

    /// A message that this user may read.
    ///
    /// # Errors
    /// `not_found` for any other.
    pub async fn message(&self, user: &UserId, id: MessageId) -> Result<Message, ChatError> {
        let message = self.inner.ask("reading a message", self.inner.store.message(id)).await?;
        let message = message.ok_or_else(ChatError::not_found)?;
        self.role_of(user, message.conversation_id).await?;
        Ok(message)
    }

    /// The raw feed of a conversation above `after`, at most `limit` (≤ 1,000) and about 1 MiB.
    ///
    /// # Errors
    /// `not_found` for those who are no members.
    pub async fn events(
        &self,
        user: &UserId,
        id: ConversationId,
        after: Seq,
        limit: u32,
    ) -> Result<EventPage, ChatError> {
        self.role_of(user, id).await?;
        let feed = FeedId::Conversation(id);
        self.inner.ask("reading events", self.inner.store.events(&feed, after, limit)).await
    }

    /// A user's profile.
    ///
    /// # Errors
    /// `not_found` for an unknown one.
    pub async fn user(&self, id: &UserId) -> Result<Profile, ChatError> {
        let users = self.users(std::slice::from_ref(id)).await?;
        users.into_iter().next().ok_or_else(ChatError::not_found)
    }

    /// Those of these users that exist, in no particular order.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn users(&self, ids: &[UserId]) -> Result<Vec<Profile>, ChatError> {
        self.inner.ask("reading users", self.inner.store.users(ids)).await
    }
}

impl Inner {
    /// Asks the store, and tells the client what it may know when that fails.
    pub async fn ask<T>(
        &self,
        doing: &'static str,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, ChatError> {
        self.within(call).await.map_err(|error| refusal(doing, &error))
    }

    /// The same for a list: what the store refuses there is its cursor.
    async fn ask_page<T>(
        &self,
        doing: &'static str,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, ChatError> {
        match self.within(call).await {
            Err(StoreError::Refused(_)) => Err(ChatError::invalid("cursor is not one that a list here gave out")),
            outcome => outcome.map_err(|error| refusal(doing, &error)),
        }
    }
}
