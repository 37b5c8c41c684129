//! A Redis server of a test's own, to be killed, frozen and asked.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, interval};

/// How long a test waits for anything before it fails.
pub const DEADLINE: Duration = Duration::from_secs(20);

static NEXT_PORT: AtomicU16 = AtomicU16::new(0);

/// A server that keeps nothing: killed and started again it is empty. Ends with its test.
pub struct Server {
    port: u16,
    folder: TempDir,
    arguments: Vec<String>,
    process: Option<Child>,
}

impl Server {
    /// Starts one; `None`, with a word about it, where Redis is not installed and not required.
    pub async fn start() -> Option<Self> {
        Self::start_with(&[]).await
    }

    /// Starts one with more arguments.
    #[expect(clippy::disallowed_methods, reason = "a switch of the test run, not a setting")]
    pub async fn start_with(arguments: &[&str]) -> Option<Self> {
        if !Self::is_installed() {
            let required = std::env::var("REQUIRE_BACKENDS").is_ok_and(|value| value == "1");
            assert!(!required, "Redis is required (REQUIRE_BACKENDS=1) and not installed");
            writeln!(std::io::stderr(), "skipped: a test of the bus needs redis-server").ok();
            return None;
        }
        let mut server = Self::absent(arguments);
        server.start_again().await;
        Some(server)
    }

    pub fn is_installed() -> bool {
        Command::new("redis-server").arg("--version").output().is_ok()
    }

    /// An address where nobody listens yet.
    pub fn absent(arguments: &[&str]) -> Self {
        let port = loop {
            let port = 24_000 + NEXT_PORT.fetch_add(1, Ordering::Relaxed) % 100;
            if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
                break port;
            }
        };
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Self { port, folder: tempfile::tempdir().unwrap(), arguments, process: None }
    }

    /// Starts it on its port, empty.
    pub async fn start_again(&mut self) {
        let mut command = Command::new("redis-server");
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.arg("--dir").arg(self.folder.path()).args(&self.arguments);
        self.process = Some(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let mut tick = interval(Duration::from_millis(5));
        let end = Instant::now() + DEADLINE;
        while self.ask("PING").is_none() {
            assert!(Instant::now() < end, "redis-server does not answer on port {}", self.port);
            tick.tick().await;
        }
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Freezes (`STOP`) or thaws (`CONT`) it: connections stay, nothing is answered.
    pub fn signal(&self, name: &str) {
        let pid = self.process.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Sends one inline command and gives the first part of the raw answer.
    pub fn ask(&self, line: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(DEADLINE)).ok()?;
        stream.write_all(format!("{line}\r\n").as_bytes()).ok()?;
        let mut answer = vec![0; 4096];
        let length = stream.read(&mut answer).ok()?;
        Some(String::from_utf8_lossy(&answer[..length]).into_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
