//! Three nodes over a real store: everybody hears everything once and in order, although the bus loses, doubles and delays.

use std::sync::Arc;

use futures_util::future::join_all;
use rookery::bus::{Faults, MemoryHub};
use rookery::chat::{Attached, Feeds, Reader};
use rookery::domain::{ConversationId, FeedId, NodeId, UserId};
use rookery::store::{Append, Outcome, Store, WriteAct};

use super::site::{Ear, Running, ask, start};
use crate::contract::store::world::{World, append, send};
use crate::support::deadline::until;

const NODES: [&str; 3] = ["north", "east", "west"];

/// Sends of each member, on a node of their own.
const SENDS: usize = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_over_sqlite_deliver_everything_once_and_in_order() {
    play(World::on_sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_over_postgres_deliver_everything_once_and_in_order() {
    let Some(world) = World::on_postgres().await else { return };
    play(world).await;
}

/// A node: its own connections to the store, its own seat at the bus.
struct Node {
    store: Arc<dyn Store>,
    running: Running,
}

async fn play(world: World) {
    let members = world.users(["ann", "bob", "eve"]).await;
    let [ann, _, eve] = &members;
    let group = world.group(&members.each_ref()).await;
    let nodes = nodes(&world).await;
    let ears = join_all(nodes.iter().flat_map(|node| members.iter().map(|user| listen(node, user, group)))).await;
    join_all(nodes.iter().zip(&members).map(|(node, user)| say(node, user, group))).await;
    let removal = write(&nodes[0], append(Some(ann), group, WriteAct::RemoveMember(eve.clone()))).await.unwrap();
    say(&nodes[1], ann, group).await;
    let head = world.feed(group).await.len() as u64;
    for ear in &ears {
        let last = if ear.user() == eve { removal } else { head };
        let heard_all = async || (ear.heard().last() == Some(&last)).then_some(());
        until(&format!("{} hears up to {last}", ear.user()), heard_all).await;
        assert!(ear.heard().iter().copied().eq(1..=last), "{}: {:?}", ear.user(), ear.heard());
    }
    for node in nodes {
        node.running.stop().await;
    }
    let late = ears.iter().filter(|ear| ear.user() == eve && ear.heard().last() != Some(&removal));
    assert_eq!(late.count(), 0, "the removed hears nothing after the removal");
}

async fn nodes(world: &World) -> Vec<Node> {
    let bus = MemoryHub::default();
    bus.set_faults(Faults { dropped_per_mille: 300, doubled_per_mille: 200, held_per_mille: 200, seed: 1 });
    let node = async |name: &str| {
        let (store, seat) = (world.neighbour().await, bus.join(NodeId::parse(name).unwrap()));
        Node { running: start(name, store.clone(), Arc::new(seat)).await, store }
    };
    vec![node(NODES[0]).await, node(NODES[1]).await, node(NODES[2]).await]
}

/// A session of the user on the node, live from the first event on.
async fn listen(node: &Node, user: &UserId, group: ConversationId) -> Arc<Ear> {
    let (ear, feeds): (_, &Feeds) = (Ear::of(user.clone()), &node.running.feeds);
    match feeds.attach(&ear.as_reader(), ask(FeedId::Conversation(group), Some(0))).await {
        Attached::Complete(_, ticket) => feeds.go_live(ticket),
        other => panic!("{other:?}"),
    }
    ear
}

async fn say(node: &Node, user: &UserId, group: ConversationId) {
    for number in 0..SENDS {
        write(node, send(user, group, &format!("{user} {number}"))).await;
    }
}

/// Commits until the store takes it, and tells the node's feeds, as the log writer does. The seq of the event.
async fn write(node: &Node, what: Append) -> Option<u64> {
    loop {
        match node.store.append(std::slice::from_ref(&what)).await.unwrap().remove(0) {
            Outcome::Written(events) => {
                let seq = events.last().map(|event| event.seq.0);
                node.running.feeds.committed(events);
                return seq;
            }
            Outcome::Busy => {}
            other => panic!("{other:?}"),
        }
    }
}
