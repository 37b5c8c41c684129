//! Going on where one was, after whatever happened in between.

use serde_json::{Value, json};

use super::{everywhere, head, say_many, seen, seqs, sync_one};
use crate::support::checker::observation::{Recorder, What};
use crate::support::client::Connection;
use crate::support::cluster::Cluster;
use crate::support::deadline::until;
use crate::support::device::Device;
use crate::support::token::token;

/// Sends `count` texts over the service API; gives the head.
async fn fill(cluster: &Cluster, room: &str, count: usize) -> u64 {
    let service = cluster.service();
    for n in 0..count {
        let send = json!({ "senderId": "ann", "clientId": format!("fill-{n}"), "content": format!("filling {n}") });
        service.post(&format!("/service/conversations/{room}/messages"), &send).await.ok();
    }
    head(cluster, "ann", room).await
}

#[tokio::test]
async fn a_sync_gives_what_was_missed_and_goes_on_live_without_a_hole() {
    for cluster in everywhere().await {
        let [ann, bob] = cluster.clients(["ann", "bob"]).await;
        let room = cluster.group(&["ann", "bob"]).await;
        let from = head(&cluster, "ann", &room).await;
        say_many(&ann, &room, 50).await;
        let talk = async {
            for n in 0..50 {
                ann.say(&room, &format!("meanwhile {n}")).await;
            }
        };
        let (item, ()) = tokio::join!(sync_one(&bob, &room, json!(from)), talk);
        assert_eq!((&item["from"], &item["complete"], &item["to"]), (&json!(from), &json!(true), &item["head"]));
        let events = item["events"].as_array().unwrap();
        assert!(events.iter().all(|event| event["event"] == "message:new" && event["conversationId"] == *room));
        let live = seen(&bob, "message:new", 100 - events.len()).await;
        let all: Vec<u64> = seqs(events).into_iter().chain(seqs(&live)).collect();
        assert_eq!(all, (from + 1..=from + 100).collect::<Vec<u64>>());
    }
}

#[tokio::test]
async fn a_device_that_is_cut_again_and_again_sees_each_event_once_and_in_order() {
    for cluster in everywhere().await {
        let [ann, bob] = cluster.clients(["ann", "bob"]).await;
        let room = cluster.room([&ann, &bob]).await;
        let start = head(&cluster, "ann", &room).await;
        let mut known: Vec<u64> = Vec::new();
        for round in 0..5 {
            bob.drop_transport().await;
            for n in 0..10 {
                ann.say(&room, &format!("{round}-{n}")).await;
            }
            // Connected again by itself; whatever came live before the cut counts too.
            bob.expect_event("session:ready").await;
            known.extend(
                seqs(&bob.events("message:new")).into_iter().filter(|seq| !known.contains(seq)).collect::<Vec<_>>(),
            );
            let cursor = known.last().copied().unwrap_or(start);
            let item = sync_one(&bob, &room, json!(cursor)).await;
            known.extend(seqs(item["events"].as_array().unwrap()));
            assert_eq!(known, (start + 1..=start + 10 * (round + 1)).collect::<Vec<u64>>());
        }
    }
}

#[tokio::test]
async fn a_repeated_sync_takes_the_place_of_the_one_before() {
    let cluster = Cluster::embedded().await;
    let [ann, bob] = cluster.clients(["ann", "bob"]).await;
    let room = cluster.room([&ann, &bob]).await;
    let first = ann.say(&room, "one").await["seq"].as_u64().unwrap();
    bob.hears("one").await;
    let item = sync_one(&bob, &room, json!(first - 1)).await;
    assert_eq!(seqs(item["events"].as_array().unwrap()), [first]);
    ann.say(&room, "two").await;
    bob.hears("two").await;
    assert_eq!(seqs(&bob.events("message:new")), [first, first + 1]);
}

#[tokio::test]
async fn more_than_one_answer_holds_is_asked_for_page_by_page() {
    let cluster = Cluster::embedded().await;
    let [ann, bob] = cluster.clients(["ann", "bob"]).await;
    let room = cluster.group(&["ann", "bob"]).await;
    let from = head(&cluster, "ann", &room).await;
    say_many(&ann, &room, 1_200).await;
    let first = sync_one(&bob, &room, json!(from)).await;
    assert_eq!(
        (&first["complete"], &first["to"], &first["head"]),
        (&json!(false), &json!(from + 1_000), &json!(from + 1_200))
    );
    assert_eq!(first["events"].as_array().unwrap().len(), 1_000);
    ann.say(&room, "not for bob yet").await;
    assert!(bob.events("message:new").is_empty(), "what is not complete is not attached");
    let second = sync_one(&bob, &room, first["to"].clone()).await;
    assert_eq!((&second["complete"], &second["to"]), (&json!(true), &json!(from + 1_201)));
    ann.say(&room, "live").await;
    bob.hears("live").await;
}

#[tokio::test]
async fn one_answer_holds_about_a_mebibyte() {
    let cluster = Cluster::embedded().await;
    let [ann, bob] = cluster.clients(["ann", "bob"]).await;
    let room = cluster.group(&["ann", "bob"]).await;
    let from = head(&cluster, "ann", &room).await;
    for n in 0..40 {
        ann.say_as(&room, &"x".repeat(60_000), &format!("c-{n}")).await;
    }
    let (mut cursor, mut pages, mut count) = (json!(from), 0, 0);
    loop {
        let item = sync_one(&bob, &room, cursor).await;
        assert!(item.to_string().len() < 1_300_000, "a page of {} bytes", item.to_string().len());
        (pages, count) = (pages + 1, count + item["events"].as_array().unwrap().len());
        if item["complete"] == true {
            break;
        }
        cursor = item["to"].clone();
    }
    assert_eq!(count, 40);
    assert!((3..=4).contains(&pages), "{pages} pages");
}

#[tokio::test]
async fn all_attaches_to_every_conversation_at_its_head() {
    for cluster in everywhere().await {
        let [ann, bob] = cluster.clients(["ann", "bob"]).await;
        let mut rooms = Vec::new();
        for _ in 0..4 {
            rooms.push(cluster.group(&["ann", "bob"]).await);
        }
        rooms.sort_unstable();
        let named = rooms[1].clone();
        let ack = bob.asks("sync", json!({ "all": true, "cursors": { named.as_str(): 0 } })).await;
        let items = ack["conversations"].as_array().unwrap();
        let mut ids: Vec<&str> = items.iter().map(|item| item["conversationId"].as_str().unwrap()).collect();
        assert_eq!(ids[0], named, "those that are named come first");
        ids.sort_unstable();
        assert_eq!(ids, rooms);
        assert!(ack.get("next").is_none() && ack.get("personal").is_none(), "{ack}");
        for room in &rooms {
            ann.say(room, &format!("in {room}")).await;
            bob.hears(&format!("in {room}")).await;
        }
        let again = bob.asks("sync", json!({ "all": true })).await;
        assert_eq!(again["conversations"], json!([]), "what is read already is left alone");
    }
}

#[tokio::test]
async fn what_is_not_the_callers_or_of_another_history_says_so() {
    for cluster in everywhere().await {
        let [ann, bob] = cluster.clients(["ann", "bob"]).await;
        let (room, secret) = (cluster.group(&["ann", "bob"]).await, cluster.group(&["ann"]).await);
        let (nowhere, top) = (uuid::Uuid::now_v7().to_string(), head(&cluster, "ann", &room).await);
        for id in [&secret, &nowhere] {
            assert_eq!(sync_one(&bob, id, json!(0)).await, json!({ "conversationId": id, "error": "not_found" }));
            assert_eq!(bob.is_refused("conversation:join", json!({ "conversationId": id })).await["code"], "not_found");
        }
        let reset = json!({ "conversationId": room, "reset": true, "head": top });
        assert_eq!(sync_one(&bob, &room, json!(top + 1)).await, reset);
        let other = json!({ "cursors": { room.as_str(): 0 }, "epoch": uuid::Uuid::new_v4() });
        assert_eq!(bob.asks("sync", other).await["conversations"], json!([reset]));
        let joined = bob.asks("conversation:join", json!({ "conversationId": room, "cursor": top + 1 })).await;
        assert_eq!((&joined["reset"], &joined["head"]), (&json!(true), &json!(top)));
        ann.say(&room, "unheard").await;
        bob.join(&room).await;
        ann.say(&room, "heard").await;
        bob.hears("heard").await;
        assert_eq!(bob.events("message:new").len(), 1);
    }
}

#[tokio::test]
async fn a_join_tells_what_is_worth_knowing() {
    let cluster = Cluster::embedded().await;
    let [ann] = cluster.clients(["ann"]).await;
    let room = cluster.group(&["ann", "bob"]).await;
    let top = fill(&cluster, &room, 3).await;
    let joined = ann.asks("conversation:join", json!({ "conversationId": room, "cursor": top - 2 })).await;
    assert_eq!(seqs(joined["events"].as_array().unwrap()), [top - 1, top]);
    assert_eq!((&joined["from"], &joined["to"], &joined["head"]), (&json!(top - 2), &json!(top), &json!(top)));
    assert_eq!((&joined["typing"], &joined["online"]), (&json!([]), &json!([])));
    assert_eq!((&joined["conversation"]["id"], &joined["conversation"]["title"]), (&json!(room), &json!("room")));
    assert_eq!(joined["watermarks"].as_array().unwrap().len(), 2);
    assert!(joined["epoch"].is_string());
}

#[tokio::test]
async fn the_personal_feed_goes_on_from_the_handshakes_cursor_and_from_a_syncs() {
    for cluster in everywhere().await {
        let [ann] = cluster.clients(["ann"]).await;
        let personal = || async { cluster.group(&["bob", "ann"]).await };
        let (one, two) = (personal().await, personal().await);
        seen(&ann, "conversation:added", 2).await;
        ann.disconnect().await;
        let three = personal().await;
        let from =
            |cursor: u64| Connection::to(&cluster.urls()[0]).token(&token("ann")).auth("personal", json!(cursor));
        let resumed = cluster.client("ann", from(1)).await.ready().await;
        let added = seen(&resumed, "conversation:added", 2).await;
        assert_eq!(personal_seqs(&added), [2, 3], "{one} {two} {three}: {added:?}");
        let ack = resumed.asks("sync", json!({ "personal": 0 })).await;
        assert_eq!(personal_seqs(ack["personal"]["events"].as_array().unwrap()), [1, 2, 3]);
        personal().await;
        assert_eq!(personal_seqs(&seen(&resumed, "conversation:added", 3).await), [2, 3, 4]);
        let far = cluster.client("ann", from(1_000)).await.ready().await;
        let reset = far.asks("sync", json!({ "personal": 1_000 })).await;
        assert_eq!((&reset["personal"]["reset"], &reset["personal"]["head"]), (&json!(true), &json!(4)));
    }
}

fn personal_seqs(events: &[Value]) -> Vec<u64> {
    events.iter().map(|event| event["personalSeq"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn what_happens_right_after_connecting_is_not_missed_by_the_personal_feed() {
    let cluster = Cluster::embedded().await;
    for _ in 0..10 {
        let [ann] = cluster.clients(["ann"]).await;
        let room = cluster.group(&["bob", "ann"]).await;
        ann.expect_event_where("conversation:added", |added| added["conversation"]["id"] == *room).await;
    }
}

#[tokio::test]
async fn a_device_that_is_cut_under_load_has_every_event_once_and_in_order() {
    for cluster in everywhere().await {
        let [ann] = cluster.clients(["ann"]).await;
        let room = cluster.group(&["ann", "bob"]).await;
        let url = cluster.urls().pop().unwrap();
        let reads = [(room.as_str(), Some(0))];
        let bob = Device::open(cluster.driver().await, "bob", Connection::to(&url), &token("bob"), &reads).await;
        let connects = || count(&bob, |what| matches!(what, What::Connect));
        let connected = |times: usize| async move {
            until("bob is connected again", || async { (connects() >= times).then_some(()) }).await;
        };
        let cuts = async {
            for times in 1..=5 {
                connected(times).await;
                bob.drop_transport().await;
            }
            connected(6).await;
        };
        tokio::join!(say_many(&ann, &room, 500), cuts);
        let top = head(&cluster, "ann", &room).await;
        bob.reaches(&room, top).await;
        let delivered: Vec<u64> = bob
            .observations()
            .into_iter()
            .filter_map(|observation| match observation.what {
                What::Deliver(delivery) => Some(delivery.seq),
                _ => None,
            })
            .collect();
        assert_eq!(delivered, (1..=top).collect::<Vec<u64>>());
        // A device whose `sync` timed out may see a gap and close it itself; its cursor is never refused.
        assert_eq!(count(&bob, |what| matches!(what, What::Reset { .. })), 0);
    }
}

fn count(device: &Device, fits: impl Fn(&What) -> bool) -> usize {
    device.observations().iter().filter(|observation| fits(&observation.what)).count()
}
