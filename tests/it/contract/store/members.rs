//! Who is in a conversation, as what, and how it looks.

use rookery::domain::{ConversationId, ConversationPatch, Event, Fact, Role, UserId};
use rookery::store::{Outcome, WriteAct};

use super::world::{World, append, first, send, texts, user, written};

async fn set_role(world: &World, boss: &UserId, conversation: ConversationId, user: &UserId, role: Role) {
    world.written(append(Some(boss), conversation, WriteAct::SetRole(user.clone(), role))).await;
}

async fn leave(world: &World, user: &UserId, conversation: ConversationId) -> Vec<Event> {
    written(world.write(append(Some(user), conversation, WriteAct::RemoveMember(user.clone()))).await)
}

fn role_event(user: &UserId, role: Role, by: Option<&UserId>) -> Fact {
    Fact::MemberRole { user: user.clone(), role, by: by.cloned() }
}

pub async fn adding_writes_an_event_and_a_membership(world: World) {
    let [ann, bob] = world.users(["ann", "bob"]).await;
    let group = world.group(&[&ann]).await;
    let event = world.written(append(Some(&ann), group, WriteAct::AddMember(bob.clone(), Role::Admin))).await;
    assert_eq!(event.fact, Fact::MemberAdded { user: bob.clone(), role: Role::Admin, by: Some(ann) });
    assert_eq!(world.role(group, &bob).await, Some(Role::Admin));
    world.says(&bob, group, "hello").await;
    assert_eq!(texts(&world.feed(group).await), ["member.added", "hello"]);
}

pub async fn adding_again_changes_nothing(world: World) {
    let [ann, bob] = world.users(["ann", "bob"]).await;
    let group = world.group(&[&ann, &bob]).await;
    let outcome = world.write(append(Some(&ann), group, WriteAct::AddMember(bob.clone(), Role::Admin))).await;
    assert_eq!(outcome, Outcome::Unchanged);
    assert_eq!(world.role(group, &bob).await, Some(Role::Member));
}

pub async fn adding_an_unknown_user_is_invalid(world: World) {
    let [ann] = world.users(["ann"]).await;
    let group = world.group(&[&ann]).await;
    let add = append(Some(&ann), group, WriteAct::AddMember(user("nobody"), Role::Member));
    let outcomes = world.store.append(&[add, send(&ann, group, "on we go")]).await.unwrap();
    assert!(matches!(outcomes[0], Outcome::Invalid(_)), "{outcomes:?}");
    assert_eq!(texts(&world.feed(group).await), ["on we go"]);
}

pub async fn a_removed_member_may_no_longer_send_in_the_same_batch(world: World) {
    let [ann, bob] = world.users(["ann", "bob"]).await;
    let group = world.group(&[&ann, &bob]).await;
    let remove = append(Some(&ann), group, WriteAct::RemoveMember(bob.clone()));
    let batch = [send(&bob, group, "in time"), remove, send(&bob, group, "too late"), send(&ann, group, "gone")];
    let outcomes = world.store.append(&batch).await.unwrap();
    assert_eq!(outcomes[2], Outcome::NotFound);
    assert_eq!(written(outcomes[1].clone())[0].fact, Fact::MemberRemoved { user: bob, by: Some(ann) });
    assert_eq!(texts(&world.feed(group).await), ["in time", "member.removed", "gone"]);
}

pub async fn removing_a_stranger_is_not_found(world: World) {
    let [ann, eve] = world.users(["ann", "eve"]).await;
    let group = world.group(&[&ann]).await;
    for stranger in [eve, user("nobody")] {
        let outcome = world.write(append(Some(&ann), group, WriteAct::RemoveMember(stranger.clone()))).await;
        assert_eq!(outcome, Outcome::NotFound);
        let outcome = world.write(append(Some(&ann), group, WriteAct::SetRole(stranger, Role::Admin))).await;
        assert_eq!(outcome, Outcome::NotFound);
    }
}

pub async fn a_role_is_changed_once(world: World) {
    let [ann, bob] = world.users(["ann", "bob"]).await;
    let group = world.group(&[&ann, &bob]).await;
    let event = world.written(append(Some(&ann), group, WriteAct::SetRole(bob.clone(), Role::Admin))).await;
    assert_eq!(event.fact, role_event(&bob, Role::Admin, Some(&ann)));
    let again = world.write(append(Some(&ann), group, WriteAct::SetRole(bob.clone(), Role::Admin))).await;
    assert_eq!(again, Outcome::Unchanged);
    assert_eq!(world.role(group, &bob).await, Some(Role::Admin));
}

pub async fn the_last_owner_cannot_step_down(world: World) {
    let [ann, bob] = world.users(["ann", "bob"]).await;
    let group = world.group(&[&ann, &bob]).await;
    let step_down = |actor| append(actor, group, WriteAct::SetRole(ann.clone(), Role::Member));
    for actor in [Some(&ann), None] {
        let outcome = world.write(step_down(actor)).await;
        assert!(matches!(outcome, Outcome::Conflict(_)), "{outcome:?}");
    }
    set_role(&world, &ann, group, &bob, Role::Owner).await;
    world.written(step_down(Some(&ann))).await;
    assert_eq!(world.role(group, &ann).await, Some(Role::Member));
}

pub async fn the_oldest_admin_inherits_from_the_last_owner(world: World) {
    let [ann, old, late, later] = world.users(["ann", "old", "zoe", "eve"]).await;
    let group = world.group(&[&ann, &old]).await;
    for user in [&late, &later] {
        world.written(append(Some(&ann), group, WriteAct::AddMember(user.clone(), Role::Member))).await;
    }
    // The younger one gets the rank first: what counts is how long one has been here.
    set_role(&world, &ann, group, &later, Role::Admin).await;
    set_role(&world, &ann, group, &late, Role::Admin).await;
    let events = leave(&world, &ann, group).await;
    assert_eq!(events.len(), 2);
    assert_eq!(events[0].fact, Fact::MemberRemoved { user: ann.clone(), by: Some(ann) });
    assert_eq!(events[1].fact, role_event(&late, Role::Owner, None));
    assert_eq!(events[1].seq, events[0].seq.next());
    assert_eq!(world.role(group, &late).await, Some(Role::Owner));
    assert_eq!(world.feed(group).await[events[0].seq.0 as usize - 1..], events);
}

pub async fn the_oldest_member_inherits_where_there_is_no_admin(world: World) {
    let [ann, bob, abe] = world.users(["ann", "bob", "abe"]).await;
    let group = world.group(&[&ann, &bob]).await;
    world.written(append(Some(&ann), group, WriteAct::AddMember(abe, Role::Member))).await;
    let events = written(world.write(append(None, group, WriteAct::RemoveMember(ann))).await);
    assert_eq!(events[1].fact, role_event(&bob, Role::Owner, None));
}

pub async fn the_last_to_leave_leaves_an_empty_conversation(world: World) {
    let [ann] = world.users(["ann"]).await;
    let group = world.group(&[&ann]).await;
    assert_eq!(leave(&world, &ann, group).await.len(), 1);
    assert!(world.store.members(group, &first(10)).await.unwrap().items.is_empty());
    assert_eq!(world.write(send(&ann, group, "echo")).await, Outcome::NotFound);
}

pub async fn an_update_shows_the_conversation_as_it_is_now(world: World) {
    let [ann] = world.users(["ann"]).await;
    let group = world.group(&[&ann]).await;
    let patch = |title: Option<&str>, days| ConversationPatch {
        title: Some(title.map(str::to_owned)),
        avatar: None,
        retention_days: Some(days),
    };
    let update = |patch| append(Some(&ann), group, WriteAct::Update(patch));
    let event = world.written(update(patch(Some("second"), Some(30)))).await;
    let Fact::ConversationUpdated(shown) = &event.fact else { panic!("{event:?}") };
    assert_eq!((shown.title.as_deref(), shown.retention_days, shown.head), (Some("second"), Some(30), event.seq));
    world.written(update(patch(None, None))).await;
    let now = world.store.conversation(group).await.unwrap().unwrap();
    assert_eq!((now.title.as_deref(), now.retention_days), (None, None));
    // An old event shows the present, too.
    assert_eq!(world.feed(group).await[0].fact, Fact::ConversationUpdated(Box::new(now)));
}

pub async fn an_update_to_the_same_changes_nothing(world: World) {
    let [ann] = world.users(["ann"]).await;
    let group = world.group(&[&ann]).await;
    let same = ConversationPatch { title: Some(Some("first title".into())), ..ConversationPatch::default() };
    for patch in [same, ConversationPatch::default()] {
        assert_eq!(world.write(append(Some(&ann), group, WriteAct::Update(patch))).await, Outcome::Unchanged);
    }
    assert!(world.feed(group).await.is_empty());
}
