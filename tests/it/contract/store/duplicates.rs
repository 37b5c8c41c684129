//! A write happens at most once per conversation, actor and clientId, over all time.

use rookery::domain::{Event, Role};
use rookery::store::{Append, Outcome, WriteAct};

use super::world::{World, append, client_id, message, send, texts, written};

fn named(name: &str, write: Append) -> Append {
    Append { client_id: client_id(name), ..write }
}

fn duplicate(outcome: Outcome) -> Event {
    match outcome {
        Outcome::Duplicate(event) => *event,
        other => panic!("was to be a duplicate: {other:?}"),
    }
}

pub async fn a_repeated_send_is_answered_with_the_first(world: World) {
    let [ann] = world.users(["ann"]).await;
    let conversation = world.group(&[&ann]).await;
    let first = world.written(named("é—1", send(&ann, conversation, "first words"))).await;
    world.says(&ann, conversation, "between").await;
    let again = duplicate(world.write(named("é—1", send(&ann, conversation, "other words"))).await);
    assert_eq!(again, first);
    assert_eq!(texts(&world.feed(conversation).await), ["first words", "between"]);
}

pub async fn a_repeated_batch_writes_nothing(world: World) {
    let [ann, bob] = world.users(["ann", "bob"]).await;
    let conversations = [world.group(&[&ann, &bob]).await, world.group(&[&ann, &bob]).await];
    let mut batch: Vec<Append> = (0..30).map(|n| send(&ann, conversations[n % 2], &n.to_string())).collect();
    batch.push(append(Some(&ann), conversations[0], WriteAct::RemoveMember(bob)));
    let first = world.store.append(&batch).await.unwrap();
    let again = world.neighbour().await.append(&batch).await.unwrap();
    for (first, again) in first.into_iter().zip(again) {
        assert_eq!(written(first)[0], duplicate(again));
    }
    assert_eq!(world.feed(conversations[0]).await.len(), 16);
    assert_eq!(world.feed(conversations[1]).await.len(), 15);
}

pub async fn a_duplicate_inside_a_batch_is_folded(world: World) {
    let [ann] = world.users(["ann"]).await;
    let conversation = world.group(&[&ann]).await;
    let twin = |text| named("twin", send(&ann, conversation, text));
    let batch = [twin("a"), send(&ann, conversation, "b"), twin("c"), twin("d"), send(&ann, conversation, "e")];
    let outcomes = world.store.append(&batch).await.unwrap();
    let first = written(outcomes[0].clone()).remove(0);
    assert_eq!(duplicate(outcomes[2].clone()), first);
    assert_eq!(duplicate(outcomes[3].clone()), first);
    assert_eq!(texts(&world.feed(conversation).await), ["a", "b", "e"]);
}

pub async fn the_same_client_id_of_another_sender_is_another_send(world: World) {
    let [ann, bob] = world.users(["ann", "bob"]).await;
    let conversation = world.group(&[&ann, &bob]).await;
    let batch = [named("k", send(&ann, conversation, "ann's")), named("k", send(&bob, conversation, "bob's"))];
    world.store.append(&batch).await.unwrap().into_iter().for_each(|outcome| drop(written(outcome)));
    assert_eq!(texts(&world.feed(conversation).await), ["ann's", "bob's"]);
}

pub async fn the_same_client_id_in_another_conversation_is_another_send(world: World) {
    let [ann] = world.users(["ann"]).await;
    let (here, there) = (world.group(&[&ann]).await, world.group(&[&ann]).await);
    let batch = [named("k", send(&ann, here, "here")), named("k", send(&ann, there, "there"))];
    world.store.append(&batch).await.unwrap().into_iter().for_each(|outcome| drop(written(outcome)));
    assert_eq!(texts(&world.feed(there).await), ["there"]);
}

pub async fn one_client_id_from_two_connections_at_once_is_written_once(world: World) {
    let [ann] = world.users(["ann"]).await;
    let conversation = world.group(&[&ann]).await;
    let neighbour = world.neighbour().await;
    for round in 0..30 {
        let write = || named(&format!("race-{round}"), send(&ann, conversation, &round.to_string()));
        let (here, there) = ([write()], [write()]);
        let (here, there) = tokio::join!(world.store.append(&here), neighbour.append(&there));
        let (here, there) = (here.unwrap().remove(0), there.unwrap().remove(0));
        let (first, second) = if matches!(here, Outcome::Written(_)) { (here, there) } else { (there, here) };
        assert_eq!(written(first).remove(0), duplicate(second));
    }
    assert_eq!(world.feed(conversation).await.len(), 30);
}

pub async fn a_duplicate_is_found_also_after_the_sender_was_removed(world: World) {
    let [ann, bob] = world.users(["ann", "bob"]).await;
    let conversation = world.group(&[&ann, &bob]).await;
    let first = world.written(named("k", send(&bob, conversation, "in time"))).await;
    world.written(append(Some(&ann), conversation, WriteAct::RemoveMember(bob.clone()))).await;
    assert_eq!(duplicate(world.write(named("k", send(&bob, conversation, "in time"))).await), first);
    assert_eq!(world.write(send(&bob, conversation, "too late")).await, Outcome::NotFound);
}

pub async fn a_repeated_membership_act_is_answered_with_the_first(world: World) {
    let [ann, bob] = world.users(["ann", "bob"]).await;
    let conversation = world.group(&[&ann]).await;
    let act = named("add", append(Some(&ann), conversation, WriteAct::AddMember(bob.clone(), Role::Admin)));
    let first = world.written(act.clone()).await;
    world.written(append(Some(&ann), conversation, WriteAct::RemoveMember(bob.clone()))).await;
    assert_eq!(duplicate(world.write(act).await), first);
    assert_eq!(world.role(conversation, &bob).await, None);
    // Without an actor it is the same: the system repeats itself too.
    let act = named("sys", append(None, conversation, WriteAct::AddMember(bob.clone(), Role::Member)));
    let first = world.written(act.clone()).await;
    assert_eq!(duplicate(world.write(act).await), first);
}

pub async fn a_refused_send_may_be_repeated_once_it_is_allowed(world: World) {
    let [ann, bob] = world.users(["ann", "bob"]).await;
    let conversation = world.group(&[&ann]).await;
    let write = send(&bob, conversation, "may I?");
    assert_eq!(world.write(write.clone()).await, Outcome::NotFound);
    world.written(append(Some(&ann), conversation, WriteAct::AddMember(bob, Role::Member))).await;
    assert_eq!(message(&world.written(write).await).seq.0, 2);
}
