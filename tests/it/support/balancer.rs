//! A round-robin HTTP proxy without stickiness, haproxy from Debian: each request of one client goes to the next node.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::net::TcpStream;

use super::deadline::until;
use super::ports::free_port;
use super::process::{Process, Spec};

/// A running proxy in front of some nodes.
pub struct Balancer {
    port: u16,
    _process: Process,
    _folder: TempDir,
}

impl Balancer {
    pub fn is_installed() -> bool {
        program().is_some()
    }

    /// Starts the proxy in front of (public, admin) addresses and waits until it listens.
    pub async fn start(nodes: &[(SocketAddr, SocketAddr)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the settings");
        let port = free_port();
        let settings = folder.path().join("haproxy.cfg");
        std::fs::write(&settings, configuration(port, nodes)).expect("the folder is ours");
        let program = program().expect("the caller asked whether haproxy is installed");
        let process = Process::start(&Spec {
            command: vec![program.display().to_string(), "-db".into(), "-f".into(), settings.display().to_string()],
            env: Vec::new(),
            log: &folder.path().join("log"),
            last_signal: "KILL",
            folder: None,
            user: None,
        });
        until("haproxy listens", || async { TcpStream::connect(("127.0.0.1", port)).await.ok() }).await;
        Self { port, _process: process, _folder: folder }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// The settings of `make cluster`'s proxy for these nodes, so that the tests run what people run.
fn configuration(port: u16, nodes: &[(SocketAddr, SocketAddr)]) -> String {
    let shared = include_str!("../../../deploy/local/haproxy.cfg").replace("@PORT@", &port.to_string());
    let without_servers = shared.lines().filter(|line| !line.trim_start().starts_with("server "));
    let servers =
        nodes.iter().enumerate().map(|(n, (public, admin))| format!("  server n{n} {public} port {}", admin.port()));
    without_servers.map(str::to_owned).chain(servers).chain([String::new()]).collect::<Vec<_>>().join("\n")
}

fn program() -> Option<PathBuf> {
    ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy", "/usr/bin/haproxy"]
        .iter()
        .map(Path::new)
        .find(|path| path.is_file())
        .map(Path::to_owned)
}
