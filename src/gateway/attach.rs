//! How a session becomes a reader of feeds: at its start, by `sync` and by `join`.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::future::join_all;

use super::session::Session;
use super::slip::Slip;
use crate::chat::{AttachAsk, Attached, Backfill, Budget, Reader, Ticket};
use crate::domain::{ChatError, ConversationId, Epoch, FeedId, Seq};
use crate::protocol::{All, Answer, CURSORS_MAX, Joined, Stretch, SyncAsk, SyncItem, Synced};

/// Events in one answer.
const ANSWER_EVENTS_MAX: usize = 1_000;
/// Bytes of events in one answer.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Watermarks in the answer to a join.
const WATERMARKS_MAX: u32 = 200;
/// When a client may ask again for what could not be read, in milliseconds.
const RETRY_AFTER_MS: u64 = 1_000;

/// Many feeds at once, in one answer.
pub(super) async fn sync(slip: Slip, ask: SyncAsk) {
    let session = Arc::clone(slip.session());
    match gather(&session, ask).await {
        Ok((synced, tickets)) => {
            slip.answer(Ok(Answer::Synced(Box::new(synced))));
            go_live(&session, tickets);
        }
        Err(error) => slip.answer(Err(error)),
    }
}

/// One conversation, with what is worth knowing of it.
pub(super) async fn join(slip: Slip, conversation: ConversationId, cursor: Option<Seq>) {
    let session = Arc::clone(slip.session());
    match enter(&session, conversation, cursor).await {
        Ok((joined, ticket)) => {
            slip.answer(Ok(Answer::Joined(Box::new(joined))));
            go_live(&session, ticket);
        }
        Err(error) => slip.answer(Err(error)),
    }
}

/// What the personal feed has brought before the session was connected.
pub(super) enum Opening {
    /// All of it.
    Whole(Backfill, Ticket),
    /// As much as one answer may hold; the rest is read when this is given.
    Start(Backfill),
}

impl Opening {
    /// Attaches to the personal feed. A cursor of another history counts as none: the client finds that out by the epoch.
    pub(super) async fn read(session: &Arc<Session>, cursor: Option<Seq>) -> Result<Self, ChatError> {
        let feed = FeedId::User(session.user().clone());
        let mut attached = attach(session, feed.clone(), cursor, None).await;
        if let Attached::Reset { .. } = attached {
            attached = attach(session, feed, None, None).await;
        }
        match attached {
            Attached::Complete(backfill, ticket) => Ok(Self::Whole(backfill, ticket)),
            Attached::Incomplete(backfill) => Ok(Self::Start(backfill)),
            Attached::Reset { .. } | Attached::NotFound | Attached::Unavailable => {
                Err(ChatError::unavailable(RETRY_AFTER_MS))
            }
        }
    }

    /// Hands the events on; the session hears the feed from then on, or as soon as the rest is read.
    pub(super) fn give(self, session: &Arc<Session>) {
        match self {
            Self::Whole(backfill, ticket) => {
                give_all(session, &backfill);
                session.door.feeds.go_live(ticket);
            }
            Self::Start(backfill) => {
                give_all(session, &backfill);
                let session_too = Arc::clone(session);
                session.door.tracker.spawn(async move { read_on(&session_too, backfill.to).await });
            }
        }
    }
}

async fn read_on(session: &Arc<Session>, mut cursor: Seq) {
    let feed = FeedId::User(session.user().clone());
    loop {
        match attach(session, feed.clone(), Some(cursor), None).await {
            Attached::Complete(backfill, ticket) => {
                give_all(session, &backfill);
                return session.door.feeds.go_live(ticket);
            }
            Attached::Incomplete(backfill) => {
                give_all(session, &backfill);
                cursor = backfill.to;
            }
            // It comes back with the cursor of what it was given.
            Attached::Reset { .. } | Attached::NotFound | Attached::Unavailable => return session.lost_track(),
        }
    }
}

fn give_all(session: &Session, backfill: &Backfill) {
    backfill.events.iter().for_each(|event| session.give(event));
}

/// One attach with an answer of its own.
async fn attach(session: &Arc<Session>, feed: FeedId, cursor: Option<Seq>, epoch: Option<Epoch>) -> Attached {
    let reader: Arc<dyn Reader> = Arc::clone(session) as Arc<dyn Reader>;
    let budget = Budget::new(ANSWER_EVENTS_MAX, ANSWER_BYTES_MAX);
    session.door.feeds.attach(&reader, AttachAsk { feed, cursor, epoch, budget }).await
}

async fn enter(
    session: &Arc<Session>,
    conversation: ConversationId,
    cursor: Option<Seq>,
) -> Result<(Joined, Option<Ticket>), ChatError> {
    let (chat, feeds, feed) = (&session.door.chat, &session.door.feeds, FeedId::Conversation(conversation));
    let (item, ticket) = item(attach(session, feed.clone(), cursor, None).await)?;
    if item == SyncItem::NotFound {
        return Err(ChatError::not_found());
    }
    // Read after the attach: what changes from here on comes as an event.
    let known = async {
        let view = chat.conversation(session.user(), conversation).await?;
        let watermarks = chat.watermarks(session.user(), conversation, WATERMARKS_MAX).await?;
        Ok::<_, ChatError>((view.conversation, watermarks))
    };
    match known.await {
        Ok((conversation, watermarks)) => Ok((Joined { epoch: feeds.epoch(), item, conversation, watermarks }, ticket)),
        Err(error) => {
            feeds.detach(session.as_ref(), &feed);
            Err(error)
        }
    }
}

/// Attaches to everything that a sync asks for. When one of them cannot be read, none is attached: the client asks again.
async fn gather(session: &Arc<Session>, ask: SyncAsk) -> Result<(Synced, Vec<Ticket>), ChatError> {
    let SyncAsk { cursors, personal, all, epoch } = ask;
    let (cursors, next) = with_others(session, cursors, all).await?;
    let conversations = cursors.iter().map(|(id, cursor)| (FeedId::Conversation(*id), *cursor));
    let own = personal.map(|cursor| (FeedId::User(session.user().clone()), Some(cursor)));
    let asks: Vec<(FeedId, Option<Seq>)> = conversations.chain(own).collect();
    let budget = Budget::new(ANSWER_EVENTS_MAX, ANSWER_BYTES_MAX);
    let reader: Arc<dyn Reader> = Arc::clone(session) as Arc<dyn Reader>;
    let feeds = &session.door.feeds;
    let attaches = asks.iter().map(|(feed, cursor)| {
        let ask = AttachAsk { feed: feed.clone(), cursor: *cursor, epoch, budget: budget.clone() };
        feeds.attach(&reader, ask)
    });
    let attached = join_all(attaches).await;
    let items: Result<Vec<_>, ChatError> = attached.into_iter().map(item).collect();
    let items = items.inspect_err(|_| asks.iter().for_each(|(feed, _)| feeds.detach(session.as_ref(), feed)))?;
    let (mut items, tickets): (Vec<SyncItem>, Vec<Option<Ticket>>) = items.into_iter().unzip();
    let personal = personal.and_then(|_| items.pop());
    let conversations = cursors.into_iter().map(|(id, _)| id).zip(items).collect();
    let synced = Synced { epoch: feeds.epoch(), conversations, personal, next };
    Ok((synced, tickets.into_iter().flatten().collect()))
}

type Cursors = Vec<(ConversationId, Option<Seq>)>;

/// Adds the next page of the user's other conversations, if asked to, and says where the page after it starts.
async fn with_others(
    session: &Arc<Session>,
    mut cursors: Cursors,
    all: All,
) -> Result<(Cursors, Option<ConversationId>), ChatError> {
    let after = match all {
        All::No => return Ok((cursors, None)),
        All::FromStart => None,
        All::After(last) => Some(last),
    };
    let page = session.door.chat.conversation_ids_of(session.user(), after, CURSORS_MAX as u32).await?;
    let next = page.last().copied().filter(|_| page.len() == CURSORS_MAX);
    let named: HashSet<ConversationId> = cursors.iter().map(|(id, _)| *id).collect();
    // What is read already stays as it is: attached anew at its head, it would miss what is on its way.
    let reads = |id: &ConversationId| session.door.feeds.reads(session.as_ref(), &FeedId::Conversation(*id));
    let others = page.into_iter().filter(|id| !named.contains(id) && !reads(id));
    cursors.extend(others.map(|id| (id, None)));
    Ok((cursors, next))
}

fn item(attached: Attached) -> Result<(SyncItem, Option<Ticket>), ChatError> {
    Ok(match attached {
        Attached::Complete(Backfill { from, to, head, events }, ticket) => {
            (SyncItem::Stretch(Stretch { from, to, head, complete: true, events }), Some(ticket))
        }
        Attached::Incomplete(Backfill { from, to, head, events }) => {
            (SyncItem::Stretch(Stretch { from, to, head, complete: false, events }), None)
        }
        Attached::Reset { head } => (SyncItem::Reset { head }, None),
        Attached::NotFound => (SyncItem::NotFound, None),
        Attached::Unavailable => return Err(ChatError::unavailable(RETRY_AFTER_MS)),
    })
}

fn go_live(session: &Session, tickets: impl IntoIterator<Item = Ticket>) {
    tickets.into_iter().for_each(|ticket| session.door.feeds.go_live(ticket));
}
