//! The checker finds what is planted: a checker that finds nothing proves nothing.

use serde_json::json;

use super::log::{Entry, Feed};
use super::observation::{Ack, Delivery, What};
use super::*;

const ROOM: &str = "room";

/// A run of ann, who sends `count` messages, and bob, who sees them.
fn sound_run(count: u64) -> Run<'static> {
    let entries = (1..=count).map(message).collect();
    let mut ann = vec![connect()];
    for seq in 1..=count {
        ann.push(at(seq as f64, What::Invoke { conversation: ROOM.into(), client_id: format!("c{seq}") }));
        ann.push(at(seq as f64 + 0.5, What::Ack(ack(seq))));
    }
    let mut bob = vec![connect(), follow(0)];
    bob.extend((1..=count).map(|seq| at(seq as f64, What::Deliver(delivery(seq)))));
    let track = |user: &str, observations| Track { device: format!("{user}#1"), user: user.into(), observations };
    let log = Log::from([(ROOM.to_owned(), Feed { entries, head: count })]);
    Run { scenario: "planted", seed: 1, tracks: vec![track("ann", ann), track("bob", bob)], log }
}

fn message(seq: u64) -> Entry {
    Entry {
        seq,
        kind: "message.new".into(),
        actor: "ann".into(),
        client_id: Some(format!("c{seq}")),
        message: Some(format!("m{seq}")),
        content: Some(json!(format!("text {seq}"))),
        edited: false,
        user: None,
    }
}

fn removal(seq: u64, user: &str) -> Entry {
    let user = Some(user.to_owned());
    Entry { kind: "member.removed".into(), client_id: None, message: None, content: None, user, ..message(seq) }
}

fn ack(seq: u64) -> Ack {
    let (client_id, message) = (format!("c{seq}"), format!("m{seq}"));
    Ack { conversation: ROOM.into(), client_id, seq, message, attempts: 1, connection: 1 }
}

fn delivery(seq: u64) -> Delivery {
    Delivery {
        conversation: ROOM.into(),
        seq,
        event: "message:new".into(),
        message: Some((format!("m{seq}"), Some(format!("c{seq}")), "ann".into())),
        content: Some(json!(format!("text {seq}"))),
        created_at: Some(seq as f64 - 0.25),
    }
}

fn at(at: f64, what: What) -> Observation {
    Observation { at, what }
}

fn connect() -> Observation {
    at(0.0, What::Connect)
}

fn follow(cursor: u64) -> Observation {
    at(0.0, What::Follow { conversation: ROOM.into(), cursor: Some(cursor) })
}

/// What the rules find after `plant` has changed a sound run: their numbers, each once.
fn found(plant: impl FnOnce(&mut Run<'_>)) -> (Vec<String>, Report) {
    let mut run = sound_run(5);
    plant(&mut run);
    let report = run.judge();
    let mut rules: Vec<String> = report.violations().iter().map(|v| v.split(':').next().unwrap().to_owned()).collect();
    rules.sort();
    rules.dedup();
    (rules, report)
}

fn bob<'r>(run: &'r mut Run<'_>) -> &'r mut Vec<Observation> {
    &mut run.tracks[1].observations
}

fn feed<'r>(run: &'r mut Run<'_>) -> &'r mut Feed {
    run.log.get_mut(ROOM).unwrap()
}

#[test]
fn a_sound_run_is_clean_and_its_figures_are_right() {
    let (rules, report) = found(|_| {});
    assert_eq!(rules, Vec::<String>::new());
    assert_eq!((report.acked, report.expected, report.delivered), (5, 5, 5));
    assert_eq!((report.lost, report.doubled, report.inverted), (0, 0, 0));
    assert!((report.visible_ms(1.0) - 0.25).abs() < 1e-9);
}

#[test]
fn a_delivery_that_never_came_is_lost() {
    let (rules, report) = found(|run| drop(bob(run).remove(4)));
    assert_eq!(rules, ["I3", "I4"]);
    assert_eq!((report.lost, report.doubled, report.inverted), (1, 0, 0));
    let (rules, report) = found(|run| drop(bob(run).pop()));
    assert_eq!(rules, ["I4"], "the last one missing leaves no hole between others");
    assert_eq!(report.lost, 1);
}

#[test]
fn a_delivery_that_came_twice_is_doubled() {
    let (rules, report) = found(|run| bob(run).push(at(9.0, What::Deliver(delivery(3)))));
    assert_eq!(rules, ["I3"]);
    assert_eq!((report.lost, report.doubled, report.inverted), (0, 1, 0));
}

#[test]
fn deliveries_out_of_order_are_inverted() {
    let (rules, report) = found(|run| bob(run).swap(3, 4));
    assert_eq!(rules, ["I3"]);
    assert_eq!((report.lost, report.doubled, report.inverted), (0, 0, 1));
}

#[test]
fn an_acked_send_without_a_row_or_with_another_is_found() {
    let (rules, _) = found(|run| feed(run).entries[4].client_id = Some("another".into()));
    assert_eq!(rules, ["I1", "I2"]);
    let (rules, _) = found(|run| {
        let What::Ack(ack) = &mut run.tracks[0].observations[2].what else { panic!("an ack is there") };
        ack.seq = 2;
    });
    assert_eq!(rules, ["I1"]);
}

#[test]
fn a_send_with_two_rows_is_doubled() {
    let (rules, report) = found(|run| {
        let twice = Entry { client_id: Some("c1".into()), ..message(6) };
        feed(run).entries.push(twice);
        feed(run).head = 6;
        let seen = Delivery { message: Some(("m6".into(), Some("c1".into()), "ann".into())), ..delivery(6) };
        bob(run).push(at(6.0, What::Deliver(seen)));
    });
    assert_eq!(rules, ["I6"]);
    assert_eq!(report.doubled, 1);
}

#[test]
fn a_refused_send_in_the_log_is_found() {
    let (rules, _) = found(|run| {
        run.tracks[0].observations[10].what = What::Failed { client_id: "c5".into(), attempts: 1 };
    });
    assert_eq!(rules, ["I6"]);
}

#[test]
fn a_delivery_that_differs_from_its_row_is_found() {
    let (rules, _) = found(|run| feed(run).entries[2].content = Some(json!("other words")));
    assert_eq!(rules, ["I2"]);
    let (rules, _) = found(|run| {
        feed(run).entries[2].content = Some(json!("other words"));
        feed(run).entries[2].edited = true;
    });
    assert_eq!(rules, Vec::<String>::new(), "an edit may change the words later");
}

#[test]
fn a_delivery_after_the_removal_is_found_and_none_is_wanted_there() {
    let (rules, _) = found(|run| feed(run).entries[2] = removal(3, "bob"));
    assert_eq!(rules, ["I1", "I2", "I7"]);
    let (rules, report) = found(|run| {
        run.tracks[0].observations.truncate(5);
        feed(run).entries[2] = removal(3, "bob");
        bob(run).truncate(4);
        let last = Delivery { event: "member:removed".into(), message: None, content: None, ..delivery(3) };
        bob(run).push(at(3.0, What::Deliver(last)));
    });
    assert_eq!(rules, Vec::<String>::new());
    assert_eq!(report.expected, 3);
}

#[test]
fn sends_of_one_connection_in_another_order_are_found() {
    let (rules, report) = found(|run| {
        let observations = &mut run.tracks[0].observations;
        let (first, second) = (observations[2].what.clone(), observations[4].what.clone());
        let (What::Ack(first), What::Ack(second)) = (first, second) else { panic!("acks are there") };
        // c1 and c2 change places everywhere: in the log, in the acks, at bob.
        observations[2].what = What::Ack(Ack { seq: 2, message: "m2".into(), ..first });
        observations[4].what = What::Ack(Ack { seq: 1, message: "m1".into(), ..second });
        let entries = &mut run.log.get_mut(ROOM).unwrap().entries;
        (entries[0].client_id, entries[1].client_id) = (Some("c2".into()), Some("c1".into()));
        for (place, client_id) in [(2, "c2"), (3, "c1")] {
            let What::Deliver(delivery) = &mut run.tracks[1].observations[place].what else { panic!("deliveries") };
            delivery.message.as_mut().unwrap().1 = Some(client_id.into());
        }
    });
    assert_eq!(rules, ["I5"]);
    assert_eq!(report.inverted, 1);
}

#[test]
fn a_hole_in_the_log_and_a_reset_are_found() {
    let (rules, _) = found(|run| feed(run).head = 6);
    assert_eq!(rules, ["I11", "I4"]);
    let (rules, _) = found(|run| bob(run).push(at(9.0, What::Reset { conversation: ROOM.into() })));
    assert_eq!(rules, ["I3"]);
}

#[test]
fn a_device_that_is_away_at_the_end_need_not_have_seen_the_head() {
    let (rules, report) = found(|run| {
        bob(run).truncate(4);
        bob(run).push(at(3.0, What::Disconnect));
    });
    assert_eq!(rules, Vec::<String>::new());
    assert_eq!((report.expected, report.delivered), (2, 2));
}
