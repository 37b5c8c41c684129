//! A member is removed while everybody talks: the removal is the last that they see, on every node.

use crate::support::cluster::Cluster;
use crate::support::scenario::{Scenario, Shape};

#[tokio::test]
async fn a_member_removed_under_load_sees_the_removal_as_the_last_event() {
    let Some(cluster) = Cluster::start(3).await else { return };
    let scenario = Scenario::begin("member removed under load", &cluster, Shape::default()).await;
    let (owner, removed) = (cluster.rest(scenario.devices[0].user()), &scenario.devices[4]);
    scenario
        .load_during(async {
            scenario.acks_more(100).await;
            for room in &scenario.rooms {
                owner.delete(&format!("/conversations/{room}/members/{}", removed.user())).await.ok();
            }
            scenario.acks_more(100).await;
        })
        .await;
    let report = scenario.judge(&cluster).await;
    for room in &scenario.rooms {
        assert_eq!(removed.cursor(room).await, None, "the removed device does not read {room} any more");
    }
    report.print_and_assert_clean();
}
