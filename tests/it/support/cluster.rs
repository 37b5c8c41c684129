//! A cluster of real nodes on backends of its own, and the verbs to set a scene in it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::backends;
use super::balancer::Balancer;
use super::client::{Client, Connection};
use super::device::Device;
use super::driver::Driver;
use super::fault_proxy::FaultProxy;
use super::node::Node;
use super::postgres::Postgres;
use super::redis::Redis;
use super::rest::Rest;
use super::token::{SECRET, SERVICE_KEY, token};

/// Which Postgres a cluster stands on.
enum Store {
    Sqlite,
    /// A database of the run's server.
    Database(String),
    /// A server of its own, to be killed.
    Server(Postgres),
}

/// Nodes, their backends, and the Node process in which their clients live.
pub struct Cluster {
    // Dropped first: clients, then nodes, then what they stand on.
    driver: OnceCell<Arc<Driver>>,
    pub nodes: Vec<Node>,
    balancer: OnceCell<Balancer>,
    /// The Redis of this cluster alone; `None` on the in-process bus.
    pub redis: Option<Redis>,
    /// Between the nodes and Redis, one for each node, where the plan asked for it.
    pub redis_links: Vec<FaultProxy>,
    store: Store,
    store_url: String,
    next_node: AtomicUsize,
    _folder: TempDir,
}

/// What a cluster is made of, before it starts.
pub struct Plan {
    nodes: usize,
    own_postgres: bool,
    redis_links: bool,
    env: Vec<(String, String)>,
}

impl Plan {
    /// A Postgres server of its own, which the test may kill ([`Cluster::postgres`]).
    #[must_use]
    pub fn own_postgres(mut self) -> Self {
        self.own_postgres = true;
        self
    }

    /// A proxy between each node and Redis, to break one node's link ([`Cluster::redis_links`]).
    #[must_use]
    pub fn redis_links(mut self) -> Self {
        self.redis_links = true;
        self
    }

    /// A `ROOKERY__…` key, or `FAILPOINTS`, for every node.
    #[must_use]
    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.env.push((key.into(), value.into()));
        self
    }

    /// Starts the backends and all nodes; `None` where a backend is not installed.
    pub async fn start(self) -> Option<Cluster> {
        let redis = backends::private_redis().await?;
        let store = if self.own_postgres {
            Store::Server(backends::private_postgres().await?)
        } else {
            Store::Database(backends::fresh_database().await?)
        };
        let store_url = match &store {
            Store::Server(server) => server.fresh_database().await,
            Store::Database(url) => url.clone(),
            Store::Sqlite => unreachable!("a plan is for a cluster"),
        };
        let mut redis_links = Vec::new();
        if self.redis_links {
            for _ in 0..self.nodes {
                redis_links.push(FaultProxy::to(redis.address()).await);
            }
        }
        let folder = tempfile::tempdir().expect("a folder for logs");
        let bus_url = |node: usize| {
            redis_links.get(node).map_or_else(|| redis.url(), |link| format!("redis://{}", link.address()))
        };
        let nodes = (0..self.nodes)
            .map(|n| {
                let mut env = settings(&store_url, &self.env);
                env.push(("ROOKERY__BUS__URL".into(), bus_url(n)));
                Node::new(&format!("node-{}", n + 1), folder.path(), &env)
            })
            .collect();
        Some(Cluster::assembled(nodes, store, store_url, folder).with_redis(redis, redis_links).started().await)
    }
}

/// The settings that every node of the tests has; `extra` comes last and wins.
fn settings(store_url: &str, extra: &[(String, String)]) -> Vec<(String, String)> {
    let own = [
        ("ROOKERY__STORE__URL", store_url.to_owned()),
        ("ROOKERY__AUTH__HS256_SECRET", SECRET.to_owned()),
        ("ROOKERY__AUTH__SERVICE_KEYS", SERVICE_KEY.to_owned()),
        ("ROOKERY__LIMITS__ENABLED", "false".to_owned()),
        ("NO_COLOR", "1".to_owned()),
    ];
    let mut env: Vec<(String, String)> = own.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    env.extend_from_slice(extra);
    env
}

impl Cluster {
    /// What `nodes` nodes on Postgres and Redis are made of.
    pub fn plan(nodes: usize) -> Plan {
        Plan { nodes, own_postgres: false, redis_links: false, env: Vec::new() }
    }

    /// Starts `nodes` nodes on a fresh database and a Redis of their own; `None` where these are not installed.
    pub async fn start(nodes: usize) -> Option<Self> {
        Self::plan(nodes).start().await
    }

    /// Starts one node on SQLite and the in-process bus: needs nothing.
    pub async fn embedded() -> Self {
        Self::embedded_with(&[]).await
    }

    /// Like [`Self::embedded`], with settings of its own.
    pub async fn embedded_with(env: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the database");
        let store_url = format!("sqlite://{}", folder.path().join("rookery.db").display());
        let extra: Vec<(String, String)> = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let node = Node::new("node-1", folder.path(), &settings(&store_url, &extra));
        Self::assembled(vec![node], Store::Sqlite, store_url, folder).started().await
    }

    fn assembled(nodes: Vec<Node>, store: Store, store_url: String, folder: TempDir) -> Self {
        Self {
            driver: OnceCell::new(),
            nodes,
            balancer: OnceCell::new(),
            redis: None,
            redis_links: Vec::new(),
            store,
            store_url,
            next_node: AtomicUsize::new(0),
            _folder: folder,
        }
    }

    fn with_redis(self, redis: Redis, redis_links: Vec<FaultProxy>) -> Self {
        Self { redis: Some(redis), redis_links, ..self }
    }

    async fn started(mut self) -> Self {
        // All at once: migrations of nodes that start together are part of what is tested.
        self.nodes.iter_mut().for_each(Node::spawn);
        for node in &mut self.nodes {
            node.start().await;
        }
        self
    }

    /// The Postgres server of a cluster planned with [`Plan::own_postgres`].
    pub fn postgres(&mut self) -> &mut Postgres {
        match &mut self.store {
            Store::Server(server) => server,
            Store::Sqlite | Store::Database(_) => panic!("plan the cluster with `.own_postgres()`"),
        }
    }

    pub fn redis(&mut self) -> &mut Redis {
        self.redis.as_mut().expect("a cluster on Redis")
    }

    /// Where the store is, for the checker.
    pub fn store_url(&self) -> &str {
        &self.store_url
    }

    /// The address of each node.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(Node::url).collect()
    }

    /// The address of the proxy that gives every request to the next node; started when first asked for.
    pub async fn balanced_url(&self) -> Option<String> {
        if !backends::available(backends::Backend::Haproxy) {
            return None;
        }
        let pairs: Vec<(SocketAddr, SocketAddr)> =
            self.nodes.iter().map(|n| (n.address(), n.admin_address())).collect();
        Some(self.balancer.get_or_init(|| Balancer::start(&pairs)).await.url())
    }

    /// The Node process in which this cluster's clients live.
    pub async fn driver(&self) -> Arc<Driver> {
        self.driver.get_or_init(Driver::start).await.clone()
    }

    /// Connects one client for each user, each to the next node.
    pub async fn clients<const N: usize>(&self, users: [&str; N]) -> [Client; N] {
        let mut connected = Vec::with_capacity(N);
        for user in users {
            let node = self.next_node.fetch_add(1, Ordering::Relaxed) % self.nodes.len();
            connected.push(self.client_on(user, node).await);
        }
        connected.try_into().unwrap_or_else(|_| unreachable!("one client for each user"))
    }

    /// Connects a client of `user` to the node with this index, and waits until it is ready.
    pub async fn client_on(&self, user: &str, node: usize) -> Client {
        let connection = Connection::to(&self.nodes[node].url()).token(&token(user));
        self.client(user, connection).await.ready().await
    }

    /// A client with settings of its own; not awaited.
    pub async fn client(&self, user: &str, connection: Connection) -> Client {
        Client::open(self.driver().await, user, connection).await
    }

    /// A device of `user` on the node with this index, reading these conversations from these cursors.
    pub async fn device_on(&self, user: &str, node: usize, reads: &[(&str, Option<u64>)]) -> Device {
        let connection = Connection::to(&self.nodes[node].url());
        Device::open(self.driver().await, user, connection, &token(user), reads).await
    }

    /// REST on the first node as `user`.
    pub fn rest(&self, user: &str) -> Rest {
        self.rest_on(user, 0)
    }

    /// REST on the node with this index as `user`.
    pub fn rest_on(&self, user: &str, node: usize) -> Rest {
        Rest::new(&self.nodes[node].url(), &token(user))
    }

    /// The server-to-server API on the first node.
    pub fn service(&self) -> Rest {
        Rest::new(&self.nodes[0].url(), SERVICE_KEY)
    }

    /// Makes a group of these users, the first its owner, creating users that do not exist; gives its id.
    pub async fn group(&self, users: &[&str]) -> String {
        let service = self.service();
        let accounts: Vec<Value> = users.iter().map(|user| json!({ "id": user, "name": user })).collect();
        service.post("/service/users", &json!({ "users": accounts })).await.ok();
        let group = json!({ "kind": "group", "title": "room", "ownerId": users[0], "memberIds": users });
        let made = service.post("/service/conversations", &json!({ "conversations": [group] })).await.ok();
        made["items"][0]["id"].as_str().expect("a conversation has an id").to_owned()
    }

    /// A group of these clients' users, joined by each of them; gives its id.
    pub async fn room<const N: usize>(&self, clients: [&Client; N]) -> String {
        let users: Vec<&str> = clients.iter().map(|client| client.user()).collect();
        let room = self.group(&users).await;
        for client in clients {
            client.join(&room).await;
        }
        room
    }
}
