//! Coming and going: what members hear, and what those hear who are members no longer.

use serde_json::{Value, json};

use super::{everywhere, seen, seqs};

#[tokio::test]
async fn who_is_added_is_told_in_person_and_misses_nothing_from_there() {
    for cluster in everywhere().await {
        let [ann, bob] = cluster.clients(["ann", "bob"]).await;
        let room = cluster.group(&["ann"]).await;
        ann.join(&room).await;
        let rest = cluster.rest("ann");
        rest.post(&format!("/conversations/{room}/members"), &json!({ "userId": "bob" })).await.ok();
        ann.say(&room, "welcome").await;
        let added = bob.expect_event("conversation:added").await;
        assert_eq!((&added["conversation"]["id"], &added["personalSeq"]), (&json!(room), &json!(1)));
        let join = json!({ "conversationId": room, "cursor": added["fromSeq"] });
        let joined = bob.asks("conversation:join", join).await;
        let names: Vec<&str> =
            joined["events"].as_array().unwrap().iter().map(|e| e["event"].as_str().unwrap()).collect();
        assert_eq!(names.last(), Some(&"message:new"), "{joined}");
        let told = ann.expect_event("member:added").await;
        assert_eq!((&told["userId"], &told["role"], &told["by"]), (&json!("bob"), &json!("member"), &json!("ann")));
    }
}

#[tokio::test]
async fn who_is_removed_sees_the_removal_last_and_nothing_after_it() {
    for cluster in everywhere().await {
        let [ann, bob, cyd] = cluster.clients(["ann", "bob", "cyd"]).await;
        let room = cluster.room([&ann, &bob, &cyd]).await;
        ann.say(&room, "before").await;
        cluster.rest("ann").delete(&format!("/conversations/{room}/members/bob")).await.ok();
        ann.say(&room, "after").await;
        cyd.hears("after").await;
        let removed = bob.expect_event("member:removed").await;
        assert_eq!((&removed["userId"], &removed["by"]), (&json!("bob"), &json!("ann")));
        let gone = bob.expect_event("conversation:removed").await;
        assert_eq!(gone["conversationId"], json!(room));
        bob.hears("before").await;
        assert_eq!(seqs(&bob.events("message:new")).last().copied(), removed["seq"].as_u64().map(|seq| seq - 1));
        for (event, payload) in [
            ("conversation:join", json!({ "conversationId": room })),
            ("message:send", json!({ "conversationId": room, "clientId": "c", "content": "x" })),
            ("receipt:read", json!({ "conversationId": room, "seq": 1 })),
        ] {
            assert_eq!(bob.is_refused(event, payload).await["code"], "not_found", "{event}");
        }
        let item = super::sync_one(&bob, &room, json!(0)).await;
        assert_eq!(item, json!({ "conversationId": room, "error": "not_found" }));
    }
}

#[tokio::test]
async fn a_member_removed_in_the_middle_of_a_flow_has_every_event_up_to_the_removal() {
    for cluster in everywhere().await {
        let [ann, bob, cyd] = cluster.clients(["ann", "bob", "cyd"]).await;
        let room = cluster.room([&ann, &bob, &cyd]).await;
        let removal = async { cluster.rest("ann").delete(&format!("/conversations/{room}/members/bob")).await.ok() };
        let (acks, _) = tokio::join!(super::say_many(&ann, &room, 200), removal);
        assert_eq!(acks.len(), 200);
        let removed = bob.expect_event("member:removed").await["seq"].as_u64().unwrap();
        seen(&cyd, "message:new", 200).await;
        bob.expect_event("conversation:removed").await;
        let heard = seqs(&bob.events("message:new"));
        let first = acks[0]["message"]["seq"].as_u64().unwrap();
        assert_eq!(heard, (first..removed).collect::<Vec<u64>>());
    }
}

#[tokio::test]
async fn roles_and_titles_are_told_to_those_who_read() {
    for cluster in everywhere().await {
        let [ann, bob] = cluster.clients(["ann", "bob"]).await;
        let room = cluster.room([&ann, &bob]).await;
        let rest = cluster.rest("ann");
        rest.patch(&format!("/conversations/{room}/members/bob"), &json!({ "role": "admin" })).await.ok();
        let role = bob.expect_event("member:role").await;
        assert_eq!((&role["userId"], &role["role"], &role["by"]), (&json!("bob"), &json!("admin"), &json!("ann")));
        rest.patch(&format!("/conversations/{room}"), &json!({ "title": "Rooks" })).await.ok();
        let updated = bob.expect_event("conversation:updated").await;
        assert_eq!(
            (&updated["conversation"]["title"], &updated["seq"]),
            (&json!("Rooks"), &Value::from(role["seq"].as_u64().unwrap() + 1))
        );
    }
}

#[tokio::test]
async fn who_leaves_a_room_hears_it_no_longer_and_stays_a_member() {
    for cluster in everywhere().await {
        let [ann, bob] = cluster.clients(["ann", "bob"]).await;
        let room = cluster.room([&ann, &bob]).await;
        bob.asks("conversation:leave", json!({ "conversationId": room })).await;
        ann.say(&room, "unheard").await;
        let joined = bob.asks("conversation:join", json!({ "conversationId": room })).await;
        assert_eq!((&joined["events"], &joined["complete"]), (&json!([]), &json!(true)));
        ann.say(&room, "heard").await;
        bob.hears("heard").await;
        assert_eq!(bob.events("message:new").len(), 1);
        bob.asks("conversation:leave", json!({ "conversationId": room })).await;
        bob.asks("conversation:leave", json!({ "conversationId": room })).await;
    }
}
