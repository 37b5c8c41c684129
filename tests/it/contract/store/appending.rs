//! What a batch of writes comes to.

use std::collections::HashSet;

use rookery::domain::{Content, ConversationId, ConversationPatch, Draft, MessageKind, Role, Seq, SessionId};
use rookery::store::{Append, Outcome, WriteAct};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::world::{World, append, assert_without_holes, message, send, send_draft, texts, words, written};

pub async fn sends_of_a_batch_follow_one_another_without_holes(world: World) {
    let [ann, bob] = world.users(["ann", "bob"]).await;
    let (one, two) = (world.group(&[&ann, &bob]).await, world.group(&[&bob, &ann]).await);
    let batch: Vec<Append> =
        (0..60).map(|n| send(if n % 3 == 0 { &ann } else { &bob }, [one, two][n % 2], &n.to_string())).collect();
    let outcomes = world.store.append(&batch).await.unwrap();
    let places: Vec<Seq> = outcomes.iter().cloned().map(|outcome| written(outcome)[0].seq).collect();
    assert_eq!(places, (0..60).map(|n| Seq(n / 2 + 1)).collect::<Vec<_>>());
    for (conversation, parity) in [(one, 0), (two, 1)] {
        let feed = world.feed(conversation).await;
        assert_without_holes(&feed);
        assert_eq!(texts(&feed), (0..60).filter(|n| n % 2 == parity).map(|n| n.to_string()).collect::<Vec<_>>());
        assert!(feed.iter().all(|event| message(event).seq == event.seq && message(event).created_at == event.at));
    }
}

pub async fn sends_from_two_connections_at_once_leave_no_hole(world: World) {
    let [ann, bob] = world.users(["ann", "bob"]).await;
    let conversation = world.group(&[&ann, &bob]).await;
    let neighbour = world.neighbour().await;
    let flood = async |store: &dyn rookery::store::Store, user| {
        for round in 0..20 {
            let batch: Vec<Append> =
                (0..5).map(|n| send(user, conversation, &format!("{user}-{:03}", round * 5 + n))).collect();
            for outcome in store.append(&batch).await.unwrap() {
                written(outcome);
            }
        }
    };
    tokio::join!(flood(&*world.store, &ann), flood(&*neighbour, &bob));
    let feed = world.feed(conversation).await;
    assert_eq!(feed.len(), 200);
    assert_without_holes(&feed);
    for user in ["ann", "bob"] {
        let own: Vec<String> = texts(&feed).into_iter().filter(|text| text.starts_with(user)).collect();
        assert!(own.is_sorted(), "the sends of one connection keep their order: {own:?}");
    }
}

pub async fn times_rise_strictly_within_a_conversation(world: World) {
    let [ann] = world.users(["ann"]).await;
    let conversation = world.group(&[&ann]).await;
    for _ in 0..3 {
        let batch: Vec<Append> = (0..50).map(|n| send(&ann, conversation, &n.to_string())).collect();
        world.store.append(&batch).await.unwrap();
    }
    let feed = world.feed(conversation).await;
    assert_eq!(feed.len(), 150);
    assert!(feed.windows(2).all(|pair| pair[0].at < pair[1].at));
}

pub async fn a_send_shows_its_sender_and_only_members_among_its_mentions(world: World) {
    let [ann, bob, eve] = world.users(["ann", "bob", "eve"]).await;
    let conversation = world.group(&[&ann, &bob]).await;
    let draft = Draft { mentions: vec![eve, bob.clone(), ann.clone()], ..words("hi") };
    let sent = message(&world.written(send_draft(&ann, conversation, draft)).await);
    assert_eq!((sent.sender.id.as_str(), sent.sender.name.as_str()), ("ann", "ann name"));
    assert_eq!(sent.mentions, [bob, ann]);
}

pub async fn content_and_origin_come_back_as_they_were_given(world: World) {
    let [ann] = world.users(["ann"]).await;
    let conversation = world.group(&[&ann]).await;
    let json = Content::Object(RawValue::from_string(r#"{"b": [1, "\u0000"],  "a": 1e400}"#.into()).unwrap());
    let text = Content::Text("'; DROP TABLE users; -- \u{1F600}\r\n\t\\ \"".into());
    for content in [json, text] {
        let draft = Draft { content: content.clone(), kind: MessageKind("poll".into()), ..words("") };
        let origin = SessionId::from_uuid(Uuid::now_v7());
        let write = Append { origin: Some(origin), ..send_draft(&ann, conversation, draft.clone()) };
        let key = write.client_id.clone();
        let event = world.written(write).await;
        let sent = message(&event);
        assert_eq!((event.origin, event.actor.as_ref()), (Some(origin), Some(&ann)));
        assert_eq!((sent.content, sent.kind), (Some(content), MessageKind("poll".into())));
        assert_eq!((sent.id, sent.client_id), (draft.id, Some(key)));
    }
}

pub async fn a_reply_shows_what_it_answers(world: World) {
    let [ann, bob] = world.users(["ann", "bob"]).await;
    let conversation = world.group(&[&ann, &bob]).await;
    let asked = world.says(&ann, conversation, &"ä".repeat(150)).await;
    let draft = Draft { reply_to: Some(asked.id), ..words("yes") };
    let answer = message(&world.written(send_draft(&bob, conversation, draft)).await).reply_to.unwrap();
    assert_eq!((answer.id, answer.sender_id.as_str()), (asked.id, "ann"));
    assert_eq!(answer.excerpt, Some("ä".repeat(100)));
}

pub async fn a_reply_to_a_send_of_the_same_batch_is_accepted(world: World) {
    let [ann] = world.users(["ann"]).await;
    let conversation = world.group(&[&ann]).await;
    let question = words("question");
    let answer = Draft { reply_to: Some(question.id), ..words("answer") };
    let batch = [question, answer].map(|draft| send_draft(&ann, conversation, draft));
    let outcomes = world.store.append(&batch).await.unwrap();
    let answer = message(&written(outcomes[1].clone())[0]);
    assert_eq!(answer.reply_to.unwrap().excerpt.as_deref(), Some("question"));
}

pub async fn a_reply_to_another_conversation_is_invalid(world: World) {
    let [ann] = world.users(["ann"]).await;
    let (here, there) = (world.group(&[&ann]).await, world.group(&[&ann]).await);
    let elsewhere = world.says(&ann, there, "secret").await;
    for target in [elsewhere.id, words("never sent").id] {
        let draft = Draft { reply_to: Some(target), ..words("hm") };
        let outcome = world.write(send_draft(&ann, here, draft)).await;
        assert!(matches!(outcome, Outcome::Invalid(_)), "{outcome:?}");
    }
    assert!(world.feed(here).await.is_empty());
}

pub async fn a_send_without_a_sender_is_invalid(world: World) {
    let [ann] = world.users(["ann"]).await;
    let conversation = world.group(&[&ann]).await;
    let outcome = world.write(append(None, conversation, WriteAct::Send(Box::new(words("whose?"))))).await;
    assert!(matches!(outcome, Outcome::Invalid(_)), "{outcome:?}");
}

pub async fn a_send_to_nowhere_is_not_found(world: World) {
    let [ann] = world.users(["ann"]).await;
    let conversation = world.group(&[&ann]).await;
    let nowhere = ConversationId::from_uuid(Uuid::now_v7());
    let batch = [send(&ann, nowhere, "lost"), send(&ann, conversation, "found"), send(&ann, nowhere, "lost")];
    let outcomes = world.store.append(&batch).await.unwrap();
    assert_eq!((&outcomes[0], &outcomes[2]), (&Outcome::NotFound, &Outcome::NotFound));
    written(outcomes[1].clone());
}

/// A message id that was used before cannot be stored; nothing at the door can know.
pub async fn poison_fails_alone(world: World) {
    let [ann] = world.users(["ann"]).await;
    let conversations = [world.group(&[&ann]).await, world.group(&[&ann]).await];
    let used = world.says(&ann, conversations[0], "first").await.id;
    let batch: Vec<Append> = (0..40)
        .map(|n| {
            let draft = words(&n.to_string());
            let id = if n == 7 || n == 30 { used } else { draft.id };
            send_draft(&ann, conversations[n % 2], Draft { id, ..draft })
        })
        .collect();
    let outcomes = world.store.append(&batch).await.unwrap();
    for (n, outcome) in outcomes.into_iter().enumerate() {
        match n {
            7 | 30 => assert!(matches!(outcome, Outcome::Invalid(_)), "{n}: {outcome:?}"),
            _ => drop(written(outcome)),
        }
    }
    for conversation in conversations {
        assert_without_holes(&world.feed(conversation).await);
    }
    assert_eq!(world.feed(conversations[0]).await.len() + world.feed(conversations[1]).await.len(), 39);
}

pub async fn a_nul_fails_alone_in_every_text(world: World) {
    let [ann] = world.users(["ann"]).await;
    let conversation = world.group(&[&ann]).await;
    let title = ConversationPatch { title: Some(Some("a\0".into())), ..ConversationPatch::default() };
    let avatar = ConversationPatch { avatar: Some(Some("\0".into())), ..ConversationPatch::default() };
    let batch = [
        send(&ann, conversation, "before"),
        send(&ann, conversation, "a\0b"),
        send_draft(&ann, conversation, Draft { kind: MessageKind("\0".into()), ..words("x") }),
        append(Some(&ann), conversation, WriteAct::Update(title)),
        append(Some(&ann), conversation, WriteAct::Update(avatar)),
        send(&ann, conversation, "after"),
    ];
    let outcomes = world.store.append(&batch).await.unwrap();
    assert!(outcomes[1..5].iter().all(|outcome| matches!(outcome, Outcome::Invalid(_))), "{outcomes:?}");
    assert_eq!(texts(&world.feed(conversation).await), ["before", "after"]);
}

/// Every act, mixed, over two conversations: as one batch, and one by one. What is left behind must be the same.
pub async fn a_batch_does_what_its_writes_would_do_one_after_the_other(world: World) {
    let [ann, bob, eve] = world.users(["ann", "bob", "eve"]).await;
    let mut traces = Vec::new();
    for size in [usize::MAX, 1, 3] {
        let (one, two) = (world.group(&[&ann, &bob]).await, world.group(&[&bob, &ann]).await);
        let title = ConversationPatch { title: Some(Some("new".into())), ..ConversationPatch::default() };
        let first = send(&eve, one, "too early");
        let writes = [
            first.clone(),
            send(&bob, one, "1"),
            send(&bob, two, "2"),
            append(Some(&ann), one, WriteAct::AddMember(eve.clone(), Role::Member)),
            first.clone(),
            first,
            append(Some(&ann), one, WriteAct::RemoveMember(bob.clone())),
            send(&bob, one, "too late"),
            send(&bob, two, "3"),
            append(Some(&bob), two, WriteAct::SetRole(ann.clone(), Role::Owner)),
            append(Some(&bob), two, WriteAct::SetRole(bob.clone(), Role::Member)),
            append(Some(&bob), two, WriteAct::Update(title.clone())),
            append(Some(&ann), two, WriteAct::Update(title)),
            append(Some(&ann), two, WriteAct::RemoveMember(ann.clone())),
            send(&bob, two, "4"),
        ];
        let mut trace = Vec::new();
        for batch in writes.chunks(size.min(writes.len())) {
            trace.extend(world.store.append(batch).await.unwrap().iter().map(shape));
        }
        let feeds = [world.feed(one).await, world.feed(two).await];
        feeds.iter().for_each(|feed| assert_without_holes(feed));
        trace.extend(feeds.iter().flat_map(|feed| texts(feed)));
        traces.push(trace);
    }
    assert_eq!(traces.iter().collect::<HashSet<_>>().len(), 1, "{traces:#?}");
    assert!(traces[0].contains(&"duplicate".to_owned()) && traces[0].contains(&"2 written".to_owned()));
}

fn shape(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Written(events) => format!("{} written", events.len()),
        Outcome::Duplicate(_) => "duplicate".into(),
        other => format!("{other:?}"),
    }
}

pub async fn an_empty_batch_is_answered_with_nothing(world: World) {
    assert_eq!(world.store.append(&[]).await.unwrap(), []);
}
