//! Postgres dies under load and comes back: what was acked is there, what was not is retried and there once.

use crate::support::cluster::Cluster;
use crate::support::scenario::{Scenario, Shape};

#[tokio::test]
async fn postgres_killed_and_restarted_under_load_loses_nothing_that_was_acked() {
    let Some(mut cluster) = Cluster::plan(3).own_postgres().start().await else { return };
    let scenario = Scenario::begin("postgres killed and restarted", &cluster, Shape::default()).await;
    scenario
        .load_during(async {
            scenario.acks_more(100).await;
            cluster.postgres().kill().await;
            cluster.postgres().start_again().await;
            scenario.acks_more(100).await;
        })
        .await;
    scenario.judge(&cluster).await.print_and_assert_clean();
}
