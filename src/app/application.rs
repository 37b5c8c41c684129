//! The node as a whole: built from settings, run until it is told to stop.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use aws_lc_rs::rand::SecureRandom;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::admin::Admin;
use super::failure::Failure;
use super::phase::{Life, Phase};
use super::secrets::Secrets;
use super::signals::Stop;
use crate::config::Settings;
use crate::domain::{Clock, NodeId};
use crate::telemetry::{Recorder, metrics};

/// What a node takes from its process: everything that would be another one in a test.
pub struct Surroundings {
    /// Its name.
    pub node: NodeId,
    /// Where its metrics are kept.
    pub recorder: Recorder,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness that nobody can guess.
    pub random: Arc<dyn SecureRandom>,
}

/// A node that is ready to run.
pub struct Application {
    admin: Admin,
    admin_listener: TcpListener,
    node: NodeId,
    life: Life,
}

impl Application {
    /// Binds the listeners and reaches everything that the settings name.
    ///
    /// # Errors
    /// What could not be reached, and which key names it.
    pub async fn build(settings: Settings, surroundings: Surroundings) -> Result<Self, Failure> {
        let Surroundings { node, recorder, random, .. } = surroundings;
        Secrets::of(&settings, random.as_ref())?;
        let life = Life::starting();
        let admin_listener = bind("server.admin_listen", settings.server.admin_listen).await?;
        let admin = Admin { life: life.clone(), recorder };
        Ok(Self { admin, admin_listener, node, life })
    }

    /// Serves until `stop` says otherwise, then ends in order.
    ///
    /// # Errors
    /// When the end was not an orderly one.
    pub async fn run_until_stopped(self, stop: Stop) -> Result<(), Failure> {
        let Self { admin, admin_listener, node, life } = self;
        let end = CancellationToken::new();
        let serving = admin.serve(admin_listener, end.clone());
        let living = async {
            life.enter(Phase::Ready);
            info!(node.id = %node, "node {node} is ready");
            stop.orderly.cancelled().await;
            life.enter(Phase::Draining);
            metrics::draining();
            end.cancel();
        };
        tokio::join!(serving, living);
        Ok(())
    }
}

/// Binds one of the two listeners.
async fn bind(key: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("{key}: cannot listen on {address}"))?;
    Ok(listener)
}
