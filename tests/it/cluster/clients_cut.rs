//! Clients lose their connections in mid-send, at any byte, in both directions: what they send again is there once.

use crate::support::backends::{Backend, available};
use crate::support::cluster::Cluster;
use crate::support::deadline::until;
use crate::support::fault_proxy::{Fault, FaultProxy};
use crate::support::scenario::{Scenario, Shape};

/// Cuts each device's connection where `fault` says, and lets it come back.
async fn cut_each(scenario: &Scenario, proxies: &[FaultProxy], fault: impl Fn(usize) -> Fault) {
    for (n, (device, proxy)) in scenario.devices.iter().zip(proxies).enumerate() {
        let before = device.count("disconnect");
        proxy.set(fault(n));
        until("the device is cut off", || async { (device.count("disconnect") > before).then_some(()) }).await;
        proxy.set(Fault::None);
    }
}

async fn cut_under_load(name: &'static str, cluster: &Cluster) {
    let shape = Shape::default();
    let mut proxies = Vec::new();
    for node in cluster.nodes.iter().cycle().take(shape.devices) {
        proxies.push(FaultProxy::to(node.address()).await);
    }
    let urls: Vec<String> = proxies.iter().map(FaultProxy::url).collect();
    let scenario = Scenario::begin_at(name, cluster, shape, &urls).await;
    scenario
        .load_during(async {
            scenario.acks_more(50).await;
            // Commands arrive and their acks do not.
            cut_each(&scenario, &proxies, |n| Fault::CutAfterFromServer(97 * n)).await;
            scenario.acks_more(50).await;
            // Commands do not arrive, or in part.
            cut_each(&scenario, &proxies, |n| Fault::CutAfterFromClient(53 * n)).await;
            scenario.acks_more(50).await;
            proxies.iter().for_each(FaultProxy::reset_open);
            scenario.acks_more(50).await;
        })
        .await;
    scenario.judge(cluster).await.print_and_assert_clean();
}

#[tokio::test]
async fn clients_cut_in_mid_send_find_every_message_once_in_a_cluster() {
    let Some(cluster) = Cluster::start(3).await else { return };
    cut_under_load("clients cut mid-send", &cluster).await;
}

#[tokio::test]
async fn clients_cut_in_mid_send_find_every_message_once_on_a_node_alone() {
    if !available(Backend::Node) {
        return;
    }
    cut_under_load("clients cut mid-send, embedded", &Cluster::embedded().await).await;
}
