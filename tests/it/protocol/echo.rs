//! An application for the transport that answers everything at once and notes what it is told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use rookery::gateway::transport::{
    Application, ConnectAsk, DisconnectReason, Frame, InboundEvent, NodeDirectory, Pace, Parts, Refusal, Session,
    Socket, Taken, Transport, TransportConfig, serve,
};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Knows `/` and `/messages`, and refuses whoever asks to be (`auth: {"refuse": true}`).
#[derive(Default)]
pub struct Echo {
    /// `connected /`, `event / name`, `disconnected / reason`, in the order in which they came.
    pub told: Mutex<Vec<String>>,
    /// The sockets that have joined and not left.
    pub sockets: Mutex<Vec<Socket>>,
    changed: Notify,
}

impl Echo {
    pub fn tell(&self, line: String) {
        self.told.lock().push(line);
        self.changed.notify_waiters();
    }

    /// Waits until `wanted` holds of what was told; panics with that after ten seconds.
    pub async fn until(&self, wanted: impl Fn(&[String]) -> bool) {
        let wait = async {
            loop {
                let changed = self.changed.notified();
                if wanted(&self.told.lock()) {
                    return;
                }
                changed.await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(10), wait).await;
        assert!(waited.is_ok(), "not told in time: {:?}", self.told.lock());
    }
}

struct EchoSession {
    echo: Arc<Echo>,
    socket: Socket,
}

impl Application for Echo {
    fn connect(self: Arc<Self>, ask: ConnectAsk) -> BoxFuture<'static, Result<Arc<dyn Session>, Refusal>> {
        Box::pin(async move {
            if !["/", "/messages"].contains(&&*ask.namespace) {
                return Err(Refusal::invalid_namespace());
            }
            if ask.auth.is_some_and(|auth| auth.get().contains("refuse")) {
                let data = serde_json::json!({ "code": "unauthorized" });
                return Err(Refusal { message: "unauthorized".to_owned(), data: Some(data) });
            }
            let session: Arc<dyn Session> = Arc::new(EchoSession { echo: self, socket: ask.socket });
            Ok(session)
        })
    }
}

impl Session for EchoSession {
    fn connected(&self) {
        self.echo.sockets.lock().push(self.socket.clone());
        self.socket.send(&Frame::event(self.socket.namespace(), "welcome", b"{}"));
        self.echo.tell(format!("connected {}", self.socket.namespace()));
    }

    /// `hold` waits until the test lets go of it; all other events are sent back, and acked with their arguments.
    fn event(&self, event: InboundEvent) -> Taken {
        let namespace = self.socket.namespace();
        let args = format!("[{}]", event.args().collect::<Vec<_>>().join(","));
        match event.ack {
            Some(id) if event.pace == Pace::TooFast => {
                self.socket.ack(id, b"\"rate_limited\"");
            }
            Some(id) => {
                self.socket.ack(id, args.as_bytes());
            }
            None => {
                self.socket.send(&Frame::event(namespace, event.name(), args.as_bytes()));
            }
        }
        self.echo.tell(format!("event {namespace} {}", event.name()));
        if event.name() == "hold" {
            let echo = self.echo.clone();
            return Taken::Later(Box::pin(
                async move { echo.until(|told| told.iter().any(|line| line == "go")).await },
            ));
        }
        Taken::Now
    }

    fn disconnected(&self, reason: DisconnectReason) {
        self.echo.sockets.lock().retain(|socket| socket.sid() != self.socket.sid());
        self.echo.tell(format!("disconnected {} {}", self.socket.namespace(), reason.word()));
    }
}

/// Other nodes, by their tags; filled in once their ports are known.
#[derive(Default)]
pub struct Neighbours(pub Mutex<Vec<(String, SocketAddr)>>);

#[async_trait]
impl NodeDirectory for Neighbours {
    async fn address(&self, node_tag: &str) -> Option<String> {
        let neighbours = self.0.lock();
        neighbours.iter().find(|(tag, _)| tag == node_tag).map(|(_, address)| address.to_string())
    }
}

/// A transport on a free port of the loopback.
pub struct EchoServer {
    pub address: SocketAddr,
    pub echo: Arc<Echo>,
    pub transport: Arc<Transport>,
    pub neighbours: Arc<Neighbours>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl EchoServer {
    /// Serves with these settings; beside the transport there is one route, `/hello`.
    pub async fn start(config: TransportConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::start_on(listener, config)
    }

    pub fn start_on(listener: TcpListener, config: TransportConfig) -> Self {
        let address = listener.local_addr().unwrap();
        let (echo, neighbours) = (Arc::new(Echo::default()), Arc::new(Neighbours::default()));
        let entropy = Arc::new(|bytes: &mut [u8]| aws_lc_rs::rand::fill(bytes).unwrap());
        let parts = Parts { config, app: echo.clone(), directory: neighbours.clone(), entropy };
        let transport = Transport::start(parts).unwrap();
        let routes = axum::Router::new().route("/hello", axum::routing::get(|| async { "hello" }));
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(serve(listener, transport.clone(), routes, stop.clone()));
        Self { address, echo, transport, neighbours, stop, tasks }
    }

    /// Ends everything; true when nothing had to be left behind.
    pub async fn end(self) -> bool {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.transport.finish(Duration::from_secs(2)).await
    }
}

/// Settings for one node of a test: the product's, under a secret of the test.
pub fn config(node_tag: &str) -> TransportConfig {
    TransportConfig::new(node_tag, b"a secret of the tests".as_slice())
}
