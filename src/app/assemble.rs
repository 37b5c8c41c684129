//! Puts a node together out of its parts, floor by floor: ground, core, doors.

use std::sync::Arc;

use anyhow::Context;
use aws_lc_rs::rand::SecureRandom;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::Surroundings;
use super::backends::{OpenStore, start_bus};
use super::failure::Failure;
use super::roster::{Roster, RosterParts};
use super::secrets::Secrets;
use crate::auth::{ClaimRules, ServiceKeys, Verifier};
use crate::bus::Bus;
use crate::chat::{Chat, ChatParts, ChatSettings, Feeds, FeedsParts, Limits};
use crate::config::Settings;
use crate::gateway::transport::{Entropy, Parts, Transport, TransportConfig, node_tag};
use crate::gateway::{Gateway, GatewayOptions, GatewayParts};
use crate::rest::{RestSettings, RestState};

/// What a node is made after.
pub(super) struct Plan {
    /// What was set.
    pub settings: Settings,
    /// What of it concerns the gateway.
    pub options: GatewayOptions,
    /// What the process gives.
    pub surroundings: Surroundings,
    /// `host:port` where other nodes reach this one.
    pub advertise: String,
}

/// Tasks that go on by themselves, and their end.
#[derive(Clone, Default)]
pub(super) struct Background {
    /// Waits for them.
    pub tracker: TaskTracker,
    /// Ends them.
    pub shutdown: CancellationToken,
}

/// A node's parts, running. Ended by [`super::drain`].
pub(super) struct Node {
    /// What it stands on.
    pub ground: Ground,
    /// The rules, and what is read.
    pub chat: Chat,
    /// Where clients come in.
    pub doors: Doors,
    /// Commands of sessions under way.
    pub sessions: Background,
    /// Feeds and heartbeats.
    pub upkeep: Background,
}

impl Node {
    /// Reaches store and bus, and starts everything but the listeners.
    pub(super) async fn start(plan: &Plan) -> Result<Self, Failure> {
        let secrets = Secrets::of(&plan.settings, plan.random())?;
        let (sessions, upkeep) = (Background::default(), Background::default());
        let ground = Ground::start(plan, &upkeep).await?;
        let feeds = start_feeds(plan, &ground, &upkeep).await?;
        let chat = start_chat(plan, &ground, &feeds)?;
        let core = Core { chat: chat.clone(), feeds };
        let doors = Doors::start(plan, &ground, core, (&secrets, &sessions))?;
        Ok(Self { ground, chat, doors, sessions, upkeep })
    }
}

/// What a node stands on: the truth, the quick news, and the list of nodes.
pub(super) struct Ground {
    /// The truth.
    pub store: OpenStore,
    /// The quick news.
    pub bus: Arc<dyn Bus>,
    /// The list of nodes.
    pub roster: Arc<Roster>,
}

impl Ground {
    async fn start(plan: &Plan, upkeep: &Background) -> Result<Self, Failure> {
        let node = &plan.surroundings.node;
        let store = OpenStore::open(&plan.settings.store).await?;
        if plan.settings.store.migrate {
            store.migrate().await?
        } else {
            store.check_schema().await?
        }
        let bus = start_bus(&plan.settings.bus, node.clone(), plan.random_id()?).await?;
        let (advertise, store_port) = (plan.advertise.clone(), store.store());
        let parts = RosterParts { node: node.clone(), advertise, store: store_port, bus: Arc::clone(&bus) };
        let roster = Roster::join(parts).await.context("store.url: the list of nodes cannot be used")?;
        upkeep.tracker.spawn(Arc::clone(&roster).run(upkeep.shutdown.clone()));
        Ok(Self { store, bus, roster })
    }
}

struct Core {
    chat: Chat,
    feeds: Feeds,
}

async fn start_feeds(plan: &Plan, ground: &Ground, upkeep: &Background) -> Result<Feeds, Failure> {
    let parts = FeedsParts {
        node: plan.surroundings.node.clone(),
        store: ground.store.store(),
        bus: Arc::clone(&ground.bus),
        clock: Arc::clone(&plan.surroundings.clock),
        seed: plan.random_seed()?,
        tracker: upkeep.tracker.clone(),
        shutdown: upkeep.shutdown.clone(),
    };
    Ok(Feeds::start(parts).await.context("store.url: the feeds cannot be read")?)
}

fn start_chat(plan: &Plan, ground: &Ground, feeds: &Feeds) -> Result<Chat, Failure> {
    let parts = ChatParts {
        store: ground.store.store(),
        news: Arc::new(feeds.clone()),
        clock: Arc::clone(&plan.surroundings.clock),
        seed: plan.random_seed()?,
    };
    Ok(Chat::start(parts, ChatSettings { limits: Limits::from(&plan.settings.limits), ..ChatSettings::default() }))
}

/// Where clients come in.
pub(super) struct Doors {
    /// The sessions.
    pub gateway: Gateway,
    /// What carries them.
    pub transport: Arc<Transport>,
    /// What the API needs.
    pub rest: RestState,
}

impl Doors {
    fn start(
        plan: &Plan,
        ground: &Ground,
        core: Core,
        (secrets, sessions): (&Secrets, &Background),
    ) -> Result<Self, Failure> {
        let Surroundings { node, clock, random, .. } = &plan.surroundings;
        let rules = ClaimRules::new(&plan.settings.auth);
        let verifier = Arc::new(Verifier::with_secret(&secrets.hs256, rules, Arc::clone(clock)));
        let config = transport_config(plan, secrets);
        let rest = rest_state(&plan.settings, &core.chat, &verifier);
        let parts = GatewayParts {
            node: node.clone(),
            chat: core.chat,
            feeds: core.feeds,
            verifier,
            clock: Arc::clone(clock),
            tracker: sessions.tracker.clone(),
            shutdown: sessions.shutdown.clone(),
        };
        let gateway = Gateway::start(parts, plan.options.clone());
        let parts = Parts {
            config,
            app: Arc::new(gateway.clone()),
            directory: Arc::clone(&ground.roster) as _,
            entropy: entropy(Arc::clone(random)),
        };
        let transport = Transport::start(parts).context("the transport cannot start")?;
        Ok(Self { gateway, transport, rest })
    }
}

fn rest_state(settings: &Settings, chat: &Chat, verifier: &Arc<Verifier>) -> RestState {
    RestState {
        chat: chat.clone(),
        verifier: Arc::clone(verifier),
        service_keys: Arc::new(ServiceKeys::new(&settings.auth.service_keys)),
        settings: RestSettings { body_bytes_max: settings.limits.frame_bytes as usize },
    }
}

fn transport_config(plan: &Plan, secrets: &Secrets) -> TransportConfig {
    let Settings { server, gateway, limits, .. } = &plan.settings;
    let capped = |max: u32| (max > 0).then_some(max);
    let tag = node_tag(plan.surroundings.node.as_str());
    TransportConfig {
        ping_interval: gateway.ping_interval(),
        ping_timeout: gateway.ping_timeout(),
        connect_timeout: gateway.connect_timeout(),
        frame_bytes: limits.frame_bytes as usize,
        frames_per_s: limits.enabled.then_some(limits.frames_per_s),
        cors_origins: gateway.cors_origins.iter().map(ToString::to_string).collect(),
        trusted_proxies: server.trusted_proxies.clone(),
        kept_headers: plan.options.token_places.headers(),
        sessions_max: capped(limits.sessions_per_node).map(|max| max as usize),
        connects_per_s: capped(limits.connects_per_s).filter(|_| limits.enabled),
        ..TransportConfig::new(tag, secrets.cluster.expose())
    }
}

fn entropy(random: Arc<dyn SecureRandom + Send + Sync>) -> Entropy {
    Arc::new(move |bytes| random.fill(bytes).expect("the system gives random bytes once it has given some"))
}

impl Plan {
    fn random(&self) -> &dyn SecureRandom {
        self.surroundings.random.as_ref()
    }

    fn random_id(&self) -> Result<Uuid, Failure> {
        let mut bytes = [0; 16];
        self.random().fill(&mut bytes).map_err(|_| anyhow::anyhow!("the system gives no random bytes"))?;
        Ok(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    fn random_seed(&self) -> Result<u64, Failure> {
        Ok(self.random_id()?.as_u64_pair().0)
    }
}
