//! The node as a whole: built from settings, run until it is told to stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use aws_lc_rs::rand::SecureRandom;
use tokio::net::TcpListener;
use tokio::time::{Instant, interval, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use super::admin::Admin;
use super::assemble::{Node, Plan};
use super::drain::{DrainTimes, Drained, drain};
use super::failure::Failure;
use super::phase::{Life, Phase};
use super::routes::routes;
use super::signals::Stop;
use crate::config::{Settings, SettingsError, StoreKind};
use crate::domain::{Clock, NodeId};
use crate::gateway::{GatewayOptions, transport};
use crate::telemetry::{Recorder, metrics};

/// Between two times that the recorder tidies up.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// What a node takes from its process: everything that would be another one in a test.
pub struct Surroundings {
    /// Its name.
    pub node: NodeId,
    /// Where its metrics are kept.
    pub recorder: Recorder,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness that nobody can guess.
    pub random: Arc<dyn SecureRandom + Send + Sync>,
}

/// A node that is ready to run.
pub struct Application {
    plan: Plan,
    node: Node,
    listener: TcpListener,
    life: Life,
    attendants: Attendants,
}

/// What attends to the process itself, from the first moment to the last: the admin listener and the recorder's upkeep.
struct Attendants {
    tracker: TaskTracker,
    shutdown: CancellationToken,
}

impl Application {
    /// Binds the listeners, then reaches everything that the settings name. The admin listener answers from the start, so that a supervisor sees a node
    /// that migrates as one that starts.
    ///
    /// # Errors
    /// What could not be reached, and which key names it.
    pub async fn build(settings: Settings, surroundings: Surroundings) -> Result<Self, Failure> {
        let options = GatewayOptions::new(&settings)
            .map_err(|_| SettingsError::new("gateway.dialect", "there is no such dialect"))?;
        let life = Life::starting();
        let admin_listener = bind("server.admin_listen", settings.server.admin_listen).await?;
        let listener = bind("server.listen", settings.server.listen).await?;
        let attendants = Attendants::start(admin_listener, &life, &surroundings.recorder);
        let advertise = advertise(&settings, &listener)?;
        warn_of_odd_settings(&settings);
        let plan = Plan { settings, options, surroundings, advertise };
        let node = Node::start(&plan).await?;
        Ok(Self { plan, node, listener, life, attendants })
    }

    /// Serves until `stop` says otherwise, then ends in order.
    ///
    /// # Errors
    /// When writes were left unresolved: by a deadline, or because a quick end was asked for.
    pub async fn run_until_stopped(self, stop: Stop) -> Result<(), Failure> {
        let Self { plan, node, listener, life, attendants } = self;
        let Plan { settings, surroundings, advertise, .. } = &plan;
        let routes = routes(node.doors.rest.clone(), &settings.gateway.cors_origins);
        let listening = CancellationToken::new();
        let serving = transport::serve(listener, Arc::clone(&node.doors.transport), routes, listening.clone());
        life.enter(Phase::Ready);
        let id = &surroundings.node;
        info!(node.id = %id, "node {id} is ready at http://{} and reached at {advertise}", settings.server.listen);
        let living = async {
            stop.orderly.cancelled().await;
            life.enter(Phase::Draining);
            metrics::draining();
            let ended = end(node, settings, &stop, &listening).await;
            listening.cancel();
            ended
        };
        let ((), ended) = tokio::join!(serving, living);
        attendants.end().await;
        info!(node.id = %id, "node {id} has ended");
        ended
    }
}

/// Drains the node, as far as the time and the supervisor allow.
async fn end(node: Node, settings: &Settings, stop: &Stop, listening: &CancellationToken) -> Result<(), Failure> {
    let patience = settings.server.shutdown();
    // The last part is for saying goodbye to store and bus.
    let deadline = Instant::now() + patience * 4 / 5;
    let times = DrainTimes { spread_max: settings.server.drain(), deadline };
    let ended = tokio::select! {
        drained = drain(node, times, listening) => match drained {
            Drained::Orderly => return Ok(()),
            Drained::Late { unwritten_count } => anyhow!("{unwritten_count} writes were left unresolved"),
        },
        () = stop.quick.cancelled() => anyhow!("ended at once, as asked"),
        () = sleep(patience) => anyhow!("server.shutdown_ms was over before everything was done"),
    };
    Err(ended.into())
}

impl Attendants {
    fn start(listener: TcpListener, life: &Life, recorder: &Recorder) -> Self {
        let (tracker, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let admin = Admin { life: life.clone(), recorder: recorder.clone() };
        tracker.spawn(admin.serve(listener, shutdown.clone()));
        let recorder = recorder.clone();
        tracker.spawn(shutdown.clone().run_until_cancelled_owned(async move {
            let mut ticks = interval(UPKEEP_EVERY);
            loop {
                ticks.tick().await;
                recorder.run_upkeep();
            }
        }));
        Self { tracker, shutdown }
    }

    async fn end(self) {
        self.shutdown.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

/// Binds one of the two listeners.
async fn bind(key: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    Ok(TcpListener::bind(address).await.with_context(|| format!("{key}: cannot listen on {address}"))?)
}

/// Where other nodes reach this one.
fn advertise(settings: &Settings, listener: &TcpListener) -> Result<String, Failure> {
    if let Some(address) = &settings.server.advertise {
        return Ok(address.to_string());
    }
    Ok(listener.local_addr().context("server.listen")?.to_string())
}

/// Says what works, but is hardly meant.
fn warn_of_odd_settings(settings: &Settings) {
    let shared = settings.store.url.kind() == StoreKind::Shared;
    if shared && settings.bus.url.is_in_process() {
        warn!("bus.url is memory: with Postgres: news from other nodes arrives through the store, up to a second late");
    }
    if !shared && !settings.bus.url.is_in_process() {
        warn!("bus.url names a server, but an SQLite store has only one node");
    }
    if settings.auth.hs256_secret.as_ref().is_some_and(|secret| secret.expose().len() < 32) {
        warn!("auth.hs256_secret is shorter than 32 bytes: good enough for this machine alone");
    }
}
