//! What an outcome means for the caller and for those who read: pure.

use crate::domain::{ChatError, ErrorCode, Event, Fact, Reply, Sent};
use crate::store::{Append, Outcome, WriteAct};

/// What becomes of one write.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// It is over: these events are news, and this is what the caller hears.
    Over(Vec<Event>, Result<Reply, ChatError>),
    /// Its conversation is locked: nothing happened, it is asked again.
    Locked,
}

/// Judges one write.
///
/// A duplicate that carries the id this node made is this very write: an earlier attempt was committed and its reply was lost. Its events are news (telling
/// readers twice does no harm), and its caller hears of no duplicate. Whoever else wrote it first has told of it.
pub(super) fn settle(append: &Append, outcome: Outcome) -> Verdict {
    let error = match outcome {
        Outcome::Written(events) => {
            let answer = events.first().map_or_else(|| Err(ChatError::internal()), |event| written(append, event));
            return Verdict::Over(events, answer);
        }
        Outcome::Duplicate(event) => return duplicate(append, *event),
        Outcome::Unchanged => return Verdict::Over(Vec::new(), Ok(Reply::Unchanged)),
        Outcome::Busy => return Verdict::Locked,
        Outcome::NotFound => ChatError::not_found(),
        Outcome::Forbidden => ChatError::forbidden(),
        Outcome::Conflict(text) => ChatError::new(ErrorCode::Conflict, text),
        Outcome::Invalid(text) => ChatError::invalid(text),
    };
    Verdict::Over(Vec::new(), Err(error))
}

fn written(append: &Append, event: &Event) -> Result<Reply, ChatError> {
    match (&append.act, &event.fact) {
        (WriteAct::Send(draft), Fact::MessageNew(message)) => {
            let duplicate = message.id != draft.id;
            Ok(Reply::Sent(Box::new(Sent { message: (**message).clone(), duplicate })))
        }
        // Only a clientId that named another act before gets here.
        (WriteAct::Send(_), _) => Err(ChatError::new(ErrorCode::Conflict, "clientId was used for something else")),
        (WriteAct::AddMember(..) | WriteAct::RemoveMember(_) | WriteAct::SetRole(..) | WriteAct::Update(_), _) => {
            Ok(Reply::Changed(Box::new(event.clone())))
        }
    }
}

fn duplicate(append: &Append, event: Event) -> Verdict {
    let answer = written(append, &event);
    let own = match &answer {
        Ok(Reply::Sent(sent)) => !sent.duplicate,
        // The clientId of every other act is made by this node: nobody else can have used it.
        Ok(Reply::Changed(_)) => true,
        Ok(Reply::Conversation(_) | Reply::Unchanged | Reply::Watermarks(_)) | Err(_) => false,
    };
    Verdict::Over(if own { vec![event] } else { Vec::new() }, answer)
}
