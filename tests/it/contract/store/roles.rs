//! Who may do what, as `domain::Permission` says it.

use rookery::domain::{ConversationId, ConversationKind, ConversationPatch, Role, UserId};
use rookery::store::{Append, Outcome, WriteAct};

use super::world::{World, append, send, words, written};

const KINDS: [ConversationKind; 3] = [ConversationKind::Direct, ConversationKind::Group, ConversationKind::Channel];
const ROLES: [Role; 3] = [Role::Member, Role::Admin, Role::Owner];

/// Every act that a member may ask for; `other` is a plain member, `new` is none.
fn acts(actor: &UserId, conversation: ConversationId, other: &UserId, new: &UserId) -> Vec<Append> {
    let title = ConversationPatch { title: Some(Some("changed".into())), ..ConversationPatch::default() };
    let acts = [
        WriteAct::Send(Box::new(words("x"))),
        WriteAct::Update(title),
        WriteAct::AddMember(new.clone(), Role::Member),
        WriteAct::SetRole(other.clone(), Role::Admin),
        WriteAct::SetRole(other.clone(), Role::Member),
        WriteAct::RemoveMember(other.clone()),
        WriteAct::RemoveMember(actor.clone()),
    ];
    acts.map(|act| append(Some(actor), conversation, act)).into()
}

/// A conversation with somebody of each role who asks, and who else it needs.
async fn cast(world: &World, kind: ConversationKind, role: Role) -> (ConversationId, UserId, UserId, UserId) {
    let [boss, actor, other, new] = world.users(["boss", "actor", "other", "new"]).await;
    if kind == ConversationKind::Direct {
        // Nobody has a rank in a direct; the pair is all there is.
        let direct = world.conversation(kind, &[&actor, &other]).await;
        return (direct, actor, other, new);
    }
    let conversation = world.conversation(kind, &[&boss, &actor, &other]).await;
    if role > Role::Member {
        world.written(append(Some(&boss), conversation, WriteAct::SetRole(actor.clone(), role))).await;
    }
    (conversation, actor, other, new)
}

pub async fn every_act_asks_for_its_role(world: World) {
    for kind in KINDS {
        for role in ROLES {
            if kind == ConversationKind::Direct && role > Role::Member {
                continue;
            }
            let (conversation, actor, other, new) = cast(&world, kind, role).await;
            for write in acts(&actor, conversation, &other, &new) {
                let allowed = write.permission.allows(kind, role);
                let (act, before) = (write.act.clone(), world.feed(conversation).await.len());
                let outcome = world.write(write).await;
                let after = world.feed(conversation).await.len();
                let case = format!("{role:?} in a {kind:?} asks {act:?}: {outcome:?}");
                if allowed {
                    assert_eq!(after, before + written(outcome).len(), "{case}");
                } else {
                    assert_eq!((outcome, after), (Outcome::Forbidden, before), "{case}");
                }
            }
        }
    }
}

pub async fn the_service_needs_no_membership(world: World) {
    let [ann, bob] = world.users(["ann", "bob"]).await;
    let group = world.group(&[&ann]).await;
    let added = world.written(append(None, group, WriteAct::AddMember(bob.clone(), Role::Member))).await;
    assert_eq!(added.actor, None);
    world.written(append(None, group, WriteAct::SetRole(bob.clone(), Role::Admin))).await;
    world.written(append(None, group, WriteAct::RemoveMember(bob.clone()))).await;
    // What the kind does not know is forbidden to everybody.
    let direct = world.conversation(ConversationKind::Direct, &[&ann, &bob]).await;
    let [eve] = world.users(["eve"]).await;
    let outcome = world.write(append(None, direct, WriteAct::AddMember(eve, Role::Member))).await;
    assert_eq!(outcome, Outcome::Forbidden);
}

pub async fn strangers_find_nothing(world: World) {
    let [ann, bob, eve, new] = world.users(["ann", "bob", "eve", "new"]).await;
    for kind in KINDS {
        let conversation = world.conversation(kind, &[&ann, &bob]).await;
        let mut writes = acts(&eve, conversation, &bob, &new);
        writes.push(send(&super::world::user("nobody"), conversation, "boo"));
        for write in writes {
            assert_eq!(world.write(write).await, Outcome::NotFound);
        }
        assert!(world.feed(conversation).await.is_empty());
    }
}

pub async fn only_owners_remove_those_with_a_rank(world: World) {
    let [boss, chief, admin, rival, plain] = world.users(["boss", "chief", "admin", "rival", "plain"]).await;
    let group = world.group(&[&boss, &chief, &admin, &rival, &plain]).await;
    for (user, role) in [(&chief, Role::Owner), (&admin, Role::Admin), (&rival, Role::Admin)] {
        world.written(append(Some(&boss), group, WriteAct::SetRole(user.clone(), role))).await;
    }
    let remove = |actor: &UserId, user: &UserId| append(Some(actor), group, WriteAct::RemoveMember(user.clone()));
    assert_eq!(world.write(remove(&admin, &rival)).await, Outcome::Forbidden);
    assert_eq!(world.write(remove(&admin, &boss)).await, Outcome::Forbidden);
    world.written(remove(&admin, &plain)).await;
    world.written(remove(&admin, &admin)).await;
    world.written(remove(&boss, &rival)).await;
    world.written(remove(&boss, &chief)).await;
    assert_eq!(world.role(group, &boss).await, Some(Role::Owner));
}
