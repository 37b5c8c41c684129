//! The feeds of a node, with time paused: what they ask of store and bus, and what readers hear.

mod cluster;
mod site;
mod spy_bus;
mod store;
mod storm;

use std::time::Duration;

use futures_util::future::join_all;
use rookery::bus::{BusEvent, Envelope, Payload, Topic, TracedOrigin, WireEvent};
use rookery::chat::Attached;
use rookery::domain::{ConversationId, FeedId, NodeId, Seq, Signal, Watermarks};
use tokio::time::Instant;
use uuid::Uuid;

use crate::schedules::log::{Write, epoch, feed, user};
use site::{Ear, Site, ask, published, until};
use store::pass;

fn topic() -> Topic {
    Topic::from(&feed())
}

fn from_elsewhere() -> TracedOrigin {
    TracedOrigin { node: NodeId::parse("elsewhere").unwrap(), trace: None }
}

#[tokio::test(start_paused = true)]
async fn own_commits_are_heard_before_the_call_returns_and_published_once() {
    let (site, bus) = Site::alone().await;
    let ann = Ear::new(0);
    assert_eq!(site.read(&ann, None).await, [0; 0]);
    let events: Vec<_> = (0..3).map(|_| site.write_untold(Write::Say)).collect();
    site.feeds.committed(events);
    assert_eq!(ann.heard(), [1, 2, 3]);
    assert_eq!(published(&bus), [3]);
}

#[tokio::test(start_paused = true)]
async fn what_no_bus_brings_is_found_by_the_poll() {
    let (site, _bus) = Site::alone().await;
    let ann = Ear::new(0);
    site.read(&ann, None).await;
    site.write_untold(Write::Say);
    site.write_untold(Write::Say);
    let before = Instant::now();
    until("the poll brings both", || ann.heard() == [1, 2]).await;
    assert!(before.elapsed() < Duration::from_secs(2), "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn after_a_gap_and_after_a_subscription_the_heads_are_checked_at_once() {
    let (site, bus) = Site::alone().await;
    let ann = Ear::new(0);
    site.read(&ann, None).await;
    for (checks, event) in [(1, BusEvent::Gap), (2, BusEvent::Subscribed(vec![topic()]))] {
        site.write_untold(Write::Say);
        bus.bring(event).await;
        until("the event is there", || ann.heard().len() == checks).await;
        assert_eq!(site.store.calls_of("heads"), checks as u64);
    }
}

#[tokio::test(start_paused = true)]
async fn envelopes_that_cannot_be_read_lead_to_the_store() {
    let (site, bus) = Site::alone().await;
    let ann = Ear::new(0);
    site.read(&ann, None).await;
    let event = site.write_untold(Write::Say);
    let payload = Payload::Events(vec![WireEvent::pack(&event).unwrap()]);
    let newer = Envelope { version: 99, ..Envelope::new(epoch(0), feed(), Seq(1), from_elsewhere(), payload) };
    bus.bring(BusEvent::Message(topic(), newer.encode().unwrap())).await;
    until("a newer envelope names the head", || ann.heard() == [1]).await;
    site.write_untold(Write::Say);
    bus.bring(BusEvent::Message(topic(), "not an envelope".into())).await;
    until("an envelope of nobody leads to a check", || ann.heard() == [1, 2]).await;
}

#[tokio::test(start_paused = true)]
async fn own_envelopes_and_those_of_another_history_are_not_believed() {
    let (site, bus) = Site::alone().await;
    let ann = Ear::new(0);
    site.read(&ann, None).await;
    let event = site.write_untold(Write::Say);
    let payload = || Payload::Events(vec![WireEvent::pack(&event).unwrap()]);
    let own = TracedOrigin { node: NodeId::parse("here").unwrap(), trace: None };
    for envelope in [
        Envelope::new(epoch(0), feed(), Seq(1), own, payload()),
        Envelope::new(epoch(7), feed(), Seq(1), from_elsewhere(), payload()),
    ] {
        bus.bring(BusEvent::Message(topic(), envelope.encode().unwrap())).await;
        tokio::task::yield_now().await;
        assert_eq!(ann.heard(), [0; 0]);
    }
    until("the poll brings it", || ann.heard() == [1]).await;
    assert!(!*ann.lost_track.lock().unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_thousand_attaches_at_once_are_few_calls() {
    let (site, bus) = Site::alone().await;
    let ears: Vec<_> = (0..1_000).map(|_| Ear::new(0)).collect();
    let answers = join_all(ears.iter().map(|ear| site.attach(ear, None))).await;
    assert!(answers.iter().all(|answer| matches!(answer, Attached::Complete(..))));
    let calls = site.store.calls_of("attach_points");
    assert!(calls <= 5, "{calls} calls");
    ears.iter().for_each(|ear| site.feeds.detach_all(&**ear));
    assert_eq!(bus.topics.lock().unwrap().as_slice(), []);
}

#[tokio::test(start_paused = true)]
async fn five_hundred_who_come_back_to_one_conversation_share_their_reads() {
    let (site, _bus) = Site::alone().await;
    for _ in 0..300 {
        site.write_untold(Write::Say);
    }
    let ears: Vec<_> = (0..500).map(|_| Ear::new(0)).collect();
    let backfills = join_all(ears.iter().enumerate().map(|(at, ear)| site.read(ear, Some(10 * (at as u64 % 3))))).await;
    for (at, backfill) in backfills.iter().enumerate() {
        let from = 10 * (at as u64 % 3);
        assert!(backfill.iter().copied().eq(from + 1..=300), "{backfill:?}");
    }
    let calls = site.store.calls_of("events");
    assert!(calls <= 20, "{calls} reads for 500 readers");
}

#[tokio::test(start_paused = true)]
async fn an_attach_is_answered_in_time_whatever_the_store_does() {
    let (site, bus) = Site::alone().await;
    let (ann, started) = (Ear::new(0), Instant::now());
    site.store.log().go_away(u64::MAX);
    assert_eq!(site.attach(&ann, None).await, Attached::Unavailable);
    site.store.delay_max.store(u64::MAX / 4, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(site.attach(&ann, None).await, Attached::Unavailable);
    assert!(started.elapsed() <= Duration::from_secs(10), "{:?}", started.elapsed());
    assert_eq!(bus.topics.lock().unwrap().as_slice(), [], "nobody reads the feed");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_while_it_attaches_leaves_nothing_behind() {
    let (site, bus) = Site::alone().await;
    let [ended, dropped] = [Ear::new(0), Ear::new(0)];
    let answer = {
        let attach = site.attach(&ended, None);
        tokio::pin!(attach);
        assert!(tokio::time::timeout(Duration::from_micros(10), &mut attach).await.is_err());
        site.feeds.detach_all(&*ended);
        attach.await
    };
    assert_eq!(answer, Attached::Unavailable);
    tokio::time::timeout(Duration::from_micros(10), site.attach(&dropped, None)).await.unwrap_err();
    assert_eq!(bus.topics.lock().unwrap().as_slice(), []);
}

#[tokio::test(start_paused = true)]
async fn who_is_no_member_is_told_that_there_is_nothing() {
    let (site, _bus) = Site::alone().await;
    assert_eq!(site.attach(&Ear::new(2), None).await, Attached::NotFound);
    let personal = FeedId::User(user(0));
    let eve = Ear::new(2);
    assert_eq!(site.feeds.attach(&eve.as_reader(), ask(personal.clone(), None)).await, Attached::NotFound);
    let ann = Ear::new(0);
    let own = site.feeds.attach(&ann.as_reader(), ask(personal, None)).await;
    assert!(matches!(own, Attached::Complete(..)), "{own:?}");
}

#[tokio::test(start_paused = true)]
async fn another_history_sends_the_readers_away_and_their_cursors_start_anew() {
    let (site, _bus) = Site::alone().await;
    let ann = Ear::new(0);
    site.read(&ann, None).await;
    site.write(Write::Say);
    let before = site.feeds.epoch();
    site.store.log().restore(1, 0);
    until("ann is sent away", || *ann.lost_track.lock().unwrap()).await;
    assert_eq!((before, site.feeds.epoch()), (epoch(0), epoch(1)));
    let again = Ear::new(0);
    let mut wish = ask(feed(), Some(0));
    wish.epoch = Some(before);
    assert_eq!(site.feeds.attach(&again.as_reader(), wish).await, Attached::Reset { head: Seq(0) });
    assert_eq!(site.attach(&again, Some(1)).await, Attached::Reset { head: Seq(0) });
    site.write(Write::Say);
    assert_eq!(site.read(&again, Some(0)).await, [1]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_believed_after_a_failure_before_the_epoch_has_been_read() {
    let (site, bus) = Site::alone().await;
    let ann = Ear::new(0);
    site.read(&ann, None).await;
    site.store.log().go_away(site.store.now() + 1_500_000);
    pass(Duration::from_millis(1_400)).await;
    site.store.log().restore(0, 0);
    site.write(Write::Say);
    assert_eq!((ann.heard(), published(&bus)), (vec![], vec![]), "the event may be of another history");
    until("ann is sent away", || *ann.lost_track.lock().unwrap()).await;
    assert_eq!(ann.heard(), [0; 0]);
}

#[tokio::test(start_paused = true)]
async fn signals_reach_live_readers_here_and_elsewhere() {
    let (site, bus) = Site::alone().await;
    let [live, joining] = [Ear::new(0), Ear::new(1)];
    site.read(&live, None).await;
    let _ticket = site.attach(&joining, None).await;
    let conversation = ConversationId::from_uuid(Uuid::from_u128(1));
    let (from, to) = (Watermarks::default(), Watermarks { delivered_seq: Seq(1), read_seq: Seq(1) });
    let signal = Signal::Receipt { conversation, user: user(0), from, to };
    site.feeds.signal(signal.clone());
    assert_eq!(bus.published.lock().unwrap().len(), 1);
    let envelope = Envelope::new(epoch(0), feed(), Seq::ZERO, from_elsewhere(), Payload::Signals(vec![signal]));
    bus.bring(BusEvent::Message(topic(), envelope.encode().unwrap())).await;
    until("both signals are there", || *live.signals.lock().unwrap() == 2).await;
    assert_eq!(*joining.signals.lock().unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_tasks_of_the_feeds_end_with_the_node() {
    let (site, _bus) = Site::alone().await;
    site.read(&Ear::new(0), None).await;
    tokio::time::timeout(Duration::from_secs(1), site.stop()).await.unwrap();
}
