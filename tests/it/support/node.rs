//! One real `rookery serve` process: started, awaited, killed, frozen, drained, read.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use super::deadline::{DEADLINE, until};
use super::ports::free_port;
use super::process::{Process, Spec};

/// How many lines of a node's log a failing test shows.
const LOG_LINES_SHOWN: usize = 60;

/// A node and what it takes to start it again the same way.
pub struct Node {
    name: String,
    listen: SocketAddr,
    admin: SocketAddr,
    env: Vec<(String, String)>,
    log: PathBuf,
    process: Option<Process>,
}

impl Node {
    /// A node that is not started yet. `env` holds `ROOKERY__…` keys; addresses and the name are added here.
    pub fn new(name: &str, folder: &std::path::Path, env: &[(String, String)]) -> Self {
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let (listen, admin) = (local(free_port()), local(free_port()));
        let mut env = env.to_vec();
        env.push(("ROOKERY__SERVER__NODE_ID".into(), name.into()));
        env.push(("ROOKERY__SERVER__LISTEN".into(), listen.to_string()));
        env.push(("ROOKERY__SERVER__ADMIN_LISTEN".into(), admin.to_string()));
        Self { name: name.into(), listen, admin, env, log: folder.join(format!("{name}.log")), process: None }
    }

    /// Starts the process and waits for `/readyz`. Does nothing while it runs.
    pub async fn start(&mut self) {
        self.spawn();
        let client = reqwest::Client::new();
        let url = self.admin_url("/readyz");
        let what = format!("{} is ready", self.name);
        until(&what, || {
            let ended = self.process.as_mut().and_then(Process::ended);
            assert!(ended.is_none(), "{} ended at its start ({ended:?}):\n{}", self.name, self.log_tail());
            let request = client.get(&url).timeout(Duration::from_secs(2)).send();
            async move { request.await.ok().filter(|response| response.status().is_success()).map(drop) }
        })
        .await;
    }

    /// Starts the process without waiting. Does nothing while it runs.
    pub fn spawn(&mut self) {
        if self.process.is_some() {
            return;
        }
        self.process = Some(Process::start(&Spec {
            command: vec![env!("CARGO_BIN_EXE_rookery").to_owned(), "serve".to_owned()],
            env: self.env.clone(),
            log: &self.log,
            last_signal: "KILL",
            folder: None,
            user: None,
        }));
    }

    /// Sets a key of the environment for the next start, `FAILPOINTS` for instance.
    pub fn set_env(&mut self, key: &str, value: &str) {
        self.env.retain(|(known, _)| known != key);
        self.env.push((key.into(), value.into()));
    }

    /// `kill -9`, and waits until the process is gone.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// SIGTERM: the drain. Gives the exit status; panics when it takes longer than `limit`.
    pub async fn terminate(&mut self, limit: Duration) -> ExitStatus {
        let mut process = self.process.take().expect("the node runs");
        process.signal("TERM");
        process.wait(limit).await
    }

    /// SIGSTOP: the node stands still, its connections stay open.
    pub fn freeze(&self) {
        self.running().signal("STOP");
    }

    /// SIGCONT: the node goes on where it stood.
    pub fn thaw(&self) {
        self.running().signal("CONT");
    }

    /// Waits until the process has ended by itself, as after a failpoint that aborts it.
    pub async fn ends(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("the node runs");
        process.wait(DEADLINE).await
    }

    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| process.ended().is_none())
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn address(&self) -> SocketAddr {
        self.listen
    }

    pub fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    pub fn pid(&self) -> u32 {
        self.running().pid()
    }

    /// Where clients connect.
    pub fn url(&self) -> String {
        format!("http://{}", self.listen)
    }

    pub fn admin_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.admin)
    }

    /// The text of `/metrics`.
    pub async fn metrics(&self) -> String {
        let response = reqwest::get(self.admin_url("/metrics")).await.expect("the admin listener answers");
        response.text().await.expect("metrics are text")
    }

    /// The sum over all series of a metric, 0 when it has none yet.
    pub async fn metric(&self, name: &str) -> f64 {
        let of_name = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        let value = |line: &str| line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok());
        self.metrics().await.lines().filter(of_name).filter_map(value).sum()
    }

    /// Waits until the sum over all series of a metric is this value.
    pub async fn metric_is(&self, name: &str, value: f64) {
        let what = format!("{name} of {} is {value}", self.name);
        until(&what, || async { ((self.metric(name).await - value).abs() < f64::EPSILON).then_some(()) }).await;
    }

    /// Everything the node has written so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
    }

    fn running(&self) -> &Process {
        self.process.as_ref().expect("the node runs")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the end of the log of {}:\n{}", self.name, self.log_tail());
        }
    }
}
