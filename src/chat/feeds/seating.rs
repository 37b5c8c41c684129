//! One attach from its ask to its answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::hub::{Hub, Verdict};
use super::{AttachAsk, Attached, Ticket};
use crate::chat::Reader;
use crate::chat::sequencer::{Completeness, Filling, Refusal};
use crate::domain::FeedId;

/// How long an attach may take, whatever the store does.
const ATTACH_DEADLINE: Duration = Duration::from_secs(5);

/// How long after a read that failed the next one begins.
const READ_AGAIN: Duration = Duration::from_millis(200);

/// Attaches a reader.
pub(super) async fn attach(hub: &Arc<Hub>, reader: &Arc<dyn Reader>, ask: AttachAsk) -> Attached {
    timeout(ATTACH_DEADLINE, seat(hub, reader, ask)).await.unwrap_or(Attached::Unavailable)
}

async fn seat(hub: &Arc<Hub>, reader: &Arc<dyn Reader>, ask: AttachAsk) -> Attached {
    let (id, place) = hub.join(&ask.feed, reader);
    let taken = Taken { hub, ticket: Some(Ticket { feed: ask.feed.clone(), id }) };
    let to = match place.await {
        Ok(Verdict::Position(to)) => to,
        Ok(Verdict::Refused(Refusal::NotFound)) => return Attached::NotFound,
        Ok(Verdict::Refused(Refusal::Unavailable)) | Err(_) => return Attached::Unavailable,
    };
    let Some(filling) = Filling::begin(&ask, hub.history.epoch(), to) else { return Attached::Reset { head: to } };
    match fill(hub, &ask.feed, filling).await.finish() {
        (backfill, Completeness::Incomplete) => Attached::Incomplete(backfill),
        (backfill, Completeness::Complete) => match taken.keep(&**reader) {
            Some(ticket) => Attached::Complete(backfill, ticket),
            None => Attached::Unavailable,
        },
    }
}

/// Reads until the backfill is as far as it gets; ended by the deadline of the attach.
async fn fill(hub: &Arc<Hub>, feed: &FeedId, mut filling: Filling) -> Filling {
    while let Some((after, count)) = filling.wants() {
        let page = hub.pages.backfill(&hub.history, (feed.clone(), after, count)).await;
        let further = page.is_ok_and(|page| filling.take(&page));
        if !further && filling.wants().is_some() {
            tokio::time::sleep(READ_AGAIN).await;
        }
    }
    filling
}

/// A seat that is given up when the attach does not come to its end: refused, incomplete, late, or dropped.
struct Taken<'a> {
    hub: &'a Arc<Hub>,
    ticket: Option<Ticket>,
}

impl Taken<'_> {
    /// Keeps it for a session that has not ended meanwhile, nor attached again.
    fn keep(mut self, reader: &dyn Reader) -> Option<Ticket> {
        let Ticket { feed, id } = self.ticket.as_ref()?;
        let noted = reader.attachments().note(feed);
        let seated = self.hub.held(feed).is_some_and(|held| held.is_seated(*id));
        if noted && seated { self.ticket.take() } else { None }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Some(Ticket { feed, id }) = self.ticket.take() {
            self.hub.leave(&feed, id);
        }
    }
}
