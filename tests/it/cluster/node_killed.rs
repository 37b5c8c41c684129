//! A node dies or stands still under load: its devices come back on the others, and nothing is lost, doubled or reordered.

use crate::support::cluster::Cluster;
use crate::support::scenario::{Scenario, Shape};

#[tokio::test]
async fn a_node_killed_under_load_loses_nothing() {
    let Some(mut cluster) = Cluster::start(3).await else { return };
    let Some(url) = cluster.balanced_url().await else { return };
    let scenario = Scenario::begin_at("node killed under load", &cluster, Shape::default(), &[url]).await;
    scenario
        .load_during(async {
            scenario.acks_more(100).await;
            cluster.nodes[1].kill();
            scenario.acks_more(100).await;
            cluster.nodes[1].start().await;
            scenario.acks_more(100).await;
        })
        .await;
    scenario.judge(&cluster).await.print_and_assert_clean();
}

#[tokio::test]
async fn a_node_that_dies_between_commit_and_publish_loses_nothing() {
    let Some(mut cluster) = Cluster::start(3).await else { return };
    let Some(url) = cluster.balanced_url().await else { return };
    cluster.nodes[1].kill();
    cluster.nodes[1].set_env("FAILPOINTS", "log_writer::committed=20*off->return");
    cluster.nodes[1].start().await;
    let name = "node dies between commit and publish";
    let scenario = Scenario::begin_at(name, &cluster, Shape::default(), &[url]).await;
    scenario
        .load_during(async {
            let status = cluster.nodes[1].ends().await;
            assert!(!status.success(), "the failpoint aborts: {status}");
            scenario.acks_more(100).await;
        })
        .await;
    scenario.judge(&cluster).await.print_and_assert_clean();
}

#[tokio::test]
async fn a_frozen_node_that_comes_back_shows_nothing_twice_and_nothing_late() {
    let Some(cluster) = Cluster::start(3).await else { return };
    let scenario = Scenario::begin("node frozen under load", &cluster, Shape::default()).await;
    scenario
        .load_during(async {
            scenario.acks_more(50).await;
            cluster.nodes[1].freeze();
            cluster.nodes[0].metric_is("rookery_nodes", 2.0).await;
            cluster.nodes[1].thaw();
            scenario.acks_more(100).await;
        })
        .await;
    scenario.judge(&cluster).await.print_and_assert_clean();
}
