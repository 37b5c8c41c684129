//! Sentences about one feed on one node.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use uuid::Uuid;

use super::*;
use crate::chat::Attachments;
use crate::domain::{ConversationId, Event, FeedId, Role, Signal, Timestamp, UserId};

/// A session that writes down what it hears.
struct Listener {
    session: SessionId,
    user: UserId,
    attachments: Attachments,
    heard: Mutex<Vec<u64>>,
    lost_track: Mutex<bool>,
}

impl Reader for Listener {
    fn session(&self) -> SessionId {
        self.session
    }

    fn user(&self) -> &UserId {
        &self.user
    }

    fn attachments(&self) -> &Attachments {
        &self.attachments
    }

    fn event(&self, event: &EncodedOnce<Event>) {
        self.heard.lock().push(event.what().seq.0);
    }

    fn signal(&self, _signal: &EncodedOnce<Signal>) {}

    fn lost_track(&self) {
        *self.lost_track.lock() = true;
    }
}

impl Listener {
    fn heard(&self) -> Vec<u64> {
        self.heard.lock().clone()
    }
}

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

fn event(seq: u64, fact: Fact) -> Event {
    let feed = FeedId::Conversation(ConversationId::from_uuid(Uuid::from_u128(1)));
    Event { feed, seq: Seq(seq), at: Timestamp::from_unix_ms(0), actor: None, origin: None, fact }
}

fn said(seq: u64) -> Event {
    event(seq, Fact::MemberRole { user: user("ann"), role: Role::Member, by: None })
}

fn removed(seq: u64, name: &str) -> Event {
    event(seq, Fact::MemberRemoved { user: user(name), by: None })
}

fn page(seqs: std::ops::RangeInclusive<u64>, head: u64) -> EventPage {
    EventPage { events: seqs.map(said).collect(), head: Seq(head) }
}

fn nothing_beyond(head: u64) -> EventPage {
    EventPage { events: Vec::new(), head: Seq(head) }
}

/// A sequencer and its clock.
#[derive(Default)]
struct Stage {
    sequencer: Sequencer,
    now: Moment,
}

const T1: TicketId = TicketId(1);
const T2: TicketId = TicketId(2);

impl Stage {
    /// With one live reader of ann's, behind this head.
    fn live_at(head: u64) -> (Self, Arc<Listener>) {
        let mut stage = Self::default();
        let ann = stage.join(T1, "ann", 1);
        stage.give(Input::Point(T1, Some(Seq(head))));
        stage.give(Input::GoLive(T1));
        (stage, ann)
    }

    fn join(&mut self, ticket: TicketId, name: &str, session: u128) -> Arc<Listener> {
        let reader = Arc::new(Listener {
            session: SessionId::from_uuid(Uuid::from_u128(session)),
            user: user(name),
            attachments: Attachments::default(),
            heard: Mutex::default(),
            lost_track: Mutex::default(),
        });
        self.give(Input::Join(ticket, Arc::clone(&reader) as Arc<dyn Reader>));
        reader
    }

    fn give(&mut self, input: Input) -> Vec<Effect> {
        self.sequencer.handle(self.now, input).into_vec()
    }

    fn say(&mut self, event: Event) -> Vec<Effect> {
        self.give(Input::Event(Arc::new(EncodedOnce::new(event))))
    }

    /// Lets time pass and ticks.
    fn pass(&mut self, time: Duration) -> Vec<Effect> {
        self.now = self.now + time;
        self.give(Input::Tick)
    }

    /// Makes a hole before this seq and lets the read for it begin.
    fn read_before(&mut self, seq: u64) -> ReadId {
        self.give(Input::Head(Seq(seq)));
        read_in(&self.pass(HOLD)).expect("the hole is read")
    }
}

fn read_in(effects: &[Effect]) -> Option<ReadId> {
    effects.iter().find_map(|effect| if let Effect::Read(read, _) = effect { Some(*read) } else { None })
}

fn places(effects: &[Effect]) -> Vec<(TicketId, u64)> {
    let place = |effect: &Effect| if let Effect::Position(ticket, to) = effect { Some((*ticket, to.0)) } else { None };
    effects.iter().filter_map(place).collect()
}

#[test]
fn events_are_delivered_once_and_in_order_however_they_come() {
    let (mut stage, ann) = Stage::live_at(2);
    for seq in [5, 3, 3, 5, 4, 1, 6, 4] {
        stage.say(said(seq));
    }
    assert_eq!(ann.heard(), [3, 4, 5, 6]);
}

#[test]
fn a_hole_is_given_a_moment_to_close_by_itself() {
    let (mut stage, ann) = Stage::live_at(0);
    let due = stage.now + HOLD;
    assert_eq!(stage.say(said(2)), [Effect::Count(Count::GapDetected), Effect::WakeAt(due)]);
    assert_eq!(stage.pass(HOLD / 2), []);
    stage.say(said(1));
    assert_eq!(stage.pass(HOLD), []);
    assert_eq!(ann.heard(), [1, 2]);
}

#[test]
fn a_hole_that_stays_is_read_by_one_read_at_a_time() {
    let (mut stage, ann) = Stage::live_at(0);
    stage.say(said(3));
    let effects = stage.pass(HOLD);
    assert_eq!(effects, [Effect::Read(ReadId(1), Seq(0))]);
    for _ in 0..3 {
        assert_eq!(stage.give(Input::Head(Seq(9))), []);
        assert_eq!(stage.pass(HOLD * 100), []);
    }
    let effects = stage.give(Input::Page(ReadId(1), page(1..=2, 9)));
    assert_eq!(ann.heard(), [1, 2, 3]);
    assert_eq!(read_in(&effects), Some(ReadId(2)), "more is known to be there: {effects:?}");
}

#[test]
fn a_page_of_an_earlier_read_changes_nothing() {
    let (mut stage, ann) = Stage::live_at(0);
    let read = stage.read_before(2);
    stage.give(Input::ReadFailed(read));
    assert_eq!(stage.give(Input::Page(read, page(1..=2, 2))), []);
    assert_eq!(ann.heard(), [0; 0]);
}

#[test]
fn a_read_that_fails_is_tried_again_for_ever_and_ever_more_slowly() {
    let (mut stage, ann) = Stage::live_at(0);
    let mut read = stage.read_before(1);
    let mut pauses = Vec::new();
    for _ in 0..9 {
        let effects = stage.give(Input::ReadFailed(read));
        let [Effect::WakeAt(due)] = effects[..] else { panic!("{effects:?}") };
        pauses.push((due.since_start() - stage.now.since_start()).as_millis());
        stage.now = due;
        read = read_in(&stage.give(Input::Tick)).unwrap();
    }
    assert_eq!(pauses, [50, 100, 200, 400, 800, 1_600, 2_000, 2_000, 2_000]);
    stage.give(Input::Page(read, page(1..=1, 1)));
    assert_eq!(ann.heard(), [1]);
}

#[test]
fn what_the_store_does_not_have_is_forgotten_after_a_second_look() {
    let (mut stage, ann) = Stage::live_at(4);
    let read = stage.read_before(7);
    stage.give(Input::Page(read, page(5..=5, 5)));
    let again = ReadId(read.0 + 1);
    assert!(matches!(stage.give(Input::Page(again, nothing_beyond(5)))[..], [Effect::WakeAt(_)]));
    let last = read_in(&stage.pass(HOLD)).unwrap();
    assert_eq!(stage.give(Input::Page(last, nothing_beyond(5))), [Effect::Count(Count::Unfounded)]);
    assert_eq!(stage.pass(HOLD * 100), []);
    stage.say(said(6));
    assert_eq!(ann.heard(), [5, 6]);
}

#[test]
fn more_than_can_be_held_beyond_a_hole_is_read_from_the_store() {
    let (mut stage, ann) = Stage::live_at(0);
    let head = HELD_BY_FEED_MAX as u64 + 10;
    (2..=head).for_each(|seq| drop(stage.say(said(seq))));
    let read = read_in(&stage.pass(HOLD)).unwrap();
    let effects = stage.give(Input::Page(read, page(1..=1, head)));
    assert_eq!(ann.heard().len(), HELD_BY_FEED_MAX + 1);
    let after = Seq(HELD_BY_FEED_MAX as u64 + 1);
    assert!(effects.contains(&Effect::Read(ReadId(read.0 + 1), after)), "{effects:?}");
}

#[test]
fn what_follows_a_place_is_held_until_the_reader_goes_live() {
    let (mut stage, ann) = Stage::live_at(4);
    let bob = stage.join(T2, "bob", 2);
    stage.say(said(5));
    assert_eq!(places(&stage.give(Input::Point(T2, Some(Seq(4))))), [(T2, 5)]);
    stage.say(said(6));
    stage.say(said(7));
    assert_eq!((ann.heard(), bob.heard()), (vec![5, 6, 7], vec![]));
    stage.give(Input::GoLive(T2));
    stage.say(said(8));
    assert_eq!(bob.heard(), [6, 7, 8]);
}

#[test]
fn nobody_gets_a_place_before_the_feed_has_come_to_the_attach_point() {
    let (mut stage, _ann) = Stage::live_at(4);
    stage.join(T2, "bob", 2);
    assert_eq!(places(&stage.give(Input::Point(T2, Some(Seq(6))))), []);
    assert_eq!(places(&stage.say(said(5))), []);
    assert_eq!(places(&stage.say(said(6))), [(T2, 6)]);
}

#[test]
fn who_was_removed_and_added_again_before_the_attach_point_stays() {
    let (mut stage, _ann) = Stage::live_at(4);
    let bob = stage.join(T2, "bob", 2);
    stage.give(Input::Point(T2, Some(Seq(6))));
    stage.say(removed(5, "bob"));
    assert_eq!(places(&stage.say(said(6))), [(T2, 6)]);
    stage.give(Input::GoLive(T2));
    stage.say(said(7));
    assert_eq!(bob.heard(), [7]);
}

#[test]
fn an_attach_point_that_is_older_than_a_removal_is_read_again() {
    let (mut stage, _ann) = Stage::live_at(4);
    stage.join(T2, "bob", 2);
    stage.say(removed(5, "bob"));
    assert_eq!(stage.give(Input::Point(T2, Some(Seq(4)))), [Effect::ReadPoint(T2, user("bob"))]);
    assert_eq!(stage.give(Input::Point(T2, None)), [Effect::Refuse(T2, Refusal::NotFound)]);
}

#[test]
fn an_attach_point_that_is_older_than_the_beginning_of_the_feed_is_read_again() {
    let mut stage = Stage::default();
    stage.join(T1, "ann", 1);
    stage.join(T2, "bob", 2);
    assert_eq!(places(&stage.give(Input::Point(T1, Some(Seq(9))))), [(T1, 9)]);
    assert_eq!(stage.give(Input::Point(T2, Some(Seq(7)))), [Effect::ReadPoint(T2, user("bob"))]);
    assert_eq!(places(&stage.give(Input::Point(T2, Some(Seq(9))))), [(T2, 9)]);
}

#[test]
fn what_is_said_before_anybody_has_a_place_is_not_forgotten() {
    let mut stage = Stage::default();
    let ann = stage.join(T1, "ann", 1);
    stage.say(said(5));
    stage.give(Input::Head(Seq(6)));
    let effects = stage.give(Input::Point(T1, Some(Seq(3))));
    assert_eq!(places(&effects), [(T1, 3)]);
    stage.give(Input::GoLive(T1));
    let read = read_in(&stage.pass(HOLD)).unwrap();
    stage.give(Input::Page(read, page(4..=6, 6)));
    assert_eq!(ann.heard(), [4, 5, 6]);
}

#[test]
fn a_removed_user_hears_of_it_last_on_every_session() {
    let (mut stage, ann) = Stage::live_at(0);
    let bob = stage.join(T2, "bob", 2);
    let joining = stage.join(TicketId(3), "bob", 3);
    for ticket in [T2, TicketId(3)] {
        stage.give(Input::Point(ticket, Some(Seq(0))));
    }
    stage.give(Input::GoLive(T2));
    for event in [said(1), removed(2, "bob"), said(3)] {
        stage.say(event);
    }
    stage.give(Input::GoLive(TicketId(3)));
    stage.say(said(4));
    assert_eq!((ann.heard(), bob.heard(), joining.heard()), (vec![1, 2, 3, 4], vec![1, 2], vec![1, 2]));
}

#[test]
fn a_repeated_attach_gives_up_the_first_one_and_its_ticket() {
    let mut stage = Stage::default();
    stage.join(T1, "ann", 1);
    let again = stage.join(T2, "ann", 1);
    assert_eq!(stage.give(Input::Point(T1, Some(Seq(1)))), []);
    stage.give(Input::Point(T2, Some(Seq(1))));
    stage.give(Input::GoLive(T1));
    stage.say(said(2));
    assert_eq!(again.heard(), [0; 0]);
    stage.give(Input::GoLive(T2));
    assert_eq!(again.heard(), [2]);
}

#[test]
fn a_replaced_attach_that_waits_is_told() {
    let mut stage = Stage::default();
    stage.join(T1, "ann", 1);
    let session = SessionId::from_uuid(Uuid::from_u128(1));
    assert_eq!(stage.give(Input::Detach(session)), [Effect::Refuse(T1, Refusal::Unavailable)]);
    assert!(stage.sequencer.is_idle());
}

#[test]
fn a_reader_that_holds_too_much_loses_track_and_nobody_else() {
    let (mut stage, ann) = Stage::live_at(0);
    let bob = stage.join(T2, "bob", 2);
    stage.give(Input::Point(T2, Some(Seq(0))));
    let last = HELD_BY_READER_MAX as u64 + 1;
    (1..=last).for_each(|seq| drop(stage.say(said(seq))));
    assert!(*bob.lost_track.lock() && !*ann.lost_track.lock());
    stage.give(Input::GoLive(T2));
    assert_eq!((bob.heard().len(), ann.heard().len() as u64), (0, last));
}

#[test]
fn an_attach_without_an_answer_of_the_store_is_refused() {
    let mut stage = Stage::default();
    stage.join(T1, "ann", 1);
    assert_eq!(stage.give(Input::PointFailed(T1)), [Effect::Refuse(T1, Refusal::Unavailable)]);
    assert!(stage.sequencer.is_idle());
}

#[test]
fn another_history_sends_everybody_away() {
    let (mut stage, ann) = Stage::live_at(7);
    let bob = stage.join(T2, "bob", 2);
    assert_eq!(stage.give(Input::EpochChanged), [Effect::Refuse(T2, Refusal::Unavailable)]);
    assert!(*ann.lost_track.lock() && *bob.lost_track.lock() && stage.sequencer.is_idle());
    stage.say(said(8));
    assert_eq!(ann.heard(), [0; 0]);
}

#[test]
fn only_live_readers_are_told_signals() {
    let (mut stage, _ann) = Stage::live_at(0);
    stage.join(T2, "bob", 2);
    let live: Vec<_> = stage.sequencer.live_readers().map(|reader| reader.user().clone()).collect();
    assert_eq!(live, [user("ann")]);
}
