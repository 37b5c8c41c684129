//! Redis is an accelerator: killed, emptied, frozen or unreachable, everything still arrives everywhere, in order.

use crate::support::cluster::Cluster;
use crate::support::fault_proxy::Fault;
use crate::support::node::Node;
use crate::support::scenario::{Scenario, Shape};

/// Waits until these nodes know that news does not come quickly, so that the fault is met and not outrun.
async fn know_that_the_bus_is_down(nodes: &[Node]) {
    for node in nodes {
        node.metric_is("rookery_bus_up", 0.0).await;
    }
}

async fn know_that_the_bus_is_up(nodes: &[Node]) {
    for node in nodes {
        node.metric_is("rookery_bus_up", 1.0).await;
    }
}

#[tokio::test]
async fn with_redis_killed_and_never_back_everything_still_crosses_nodes() {
    let Some(mut cluster) = Cluster::start(3).await else { return };
    let scenario = Scenario::begin("redis never back", &cluster, Shape::default()).await;
    scenario.sends(50).await;
    cluster.redis().kill();
    scenario.load_during(know_that_the_bus_is_down(&cluster.nodes)).await;
    scenario.sends(300).await;
    scenario.judge(&cluster).await.print_and_assert_clean();
}

#[tokio::test]
async fn redis_restarted_empty_under_load_loses_nothing() {
    let Some(mut cluster) = Cluster::start(3).await else { return };
    let scenario = Scenario::begin("redis restarted empty", &cluster, Shape::default()).await;
    scenario
        .load_during(async {
            scenario.acks_more(50).await;
            cluster.redis().kill();
            know_that_the_bus_is_down(&cluster.nodes).await;
            cluster.redis().start_again().await;
            know_that_the_bus_is_up(&cluster.nodes).await;
            scenario.acks_more(100).await;
        })
        .await;
    scenario.judge(&cluster).await.print_and_assert_clean();
}

#[tokio::test]
async fn redis_frozen_under_load_holds_no_send_back_and_loses_nothing() {
    let Some(mut cluster) = Cluster::start(3).await else { return };
    let scenario = Scenario::begin("redis frozen", &cluster, Shape::default()).await;
    scenario
        .load_during(async {
            scenario.acks_more(50).await;
            cluster.redis().signal("STOP");
            know_that_the_bus_is_down(&cluster.nodes).await;
            cluster.redis().signal("CONT");
            know_that_the_bus_is_up(&cluster.nodes).await;
            scenario.acks_more(50).await;
        })
        .await;
    scenario.judge(&cluster).await.print_and_assert_clean();
}

#[tokio::test]
async fn a_node_that_alone_does_not_reach_redis_still_hears_and_is_heard() {
    let Some(cluster) = Cluster::plan(3).redis_links().start().await else { return };
    let scenario = Scenario::begin("redis unreachable from one node", &cluster, Shape::default()).await;
    scenario
        .load_during(async {
            scenario.acks_more(50).await;
            cluster.redis_links[0].set(Fault::Blackhole);
            know_that_the_bus_is_down(&cluster.nodes[..1]).await;
            scenario.acks_more(100).await;
            cluster.redis_links[0].set(Fault::None);
            know_that_the_bus_is_up(&cluster.nodes).await;
            scenario.acks_more(50).await;
        })
        .await;
    scenario.judge(&cluster).await.print_and_assert_clean();
}

#[tokio::test]
async fn a_bus_that_drops_doubles_and_reorders_is_not_noticed() {
    let faults = "bus.receive=10%return(drop)->10%return(double)->10%return(hold)";
    let Some(cluster) = Cluster::plan(3).env("FAILPOINTS", faults).start().await else { return };
    let scenario = Scenario::begin("bus drops, doubles and reorders", &cluster, Shape::default()).await;
    scenario.sends(300).await;
    scenario.judge(&cluster).await.print_and_assert_clean();
}
