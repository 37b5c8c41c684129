//! A private Redis server that keeps nothing: killed and started again it is empty.

use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::deadline::until;
use super::ports::free_port;
use super::postgres::private_folder;
use super::process::{Process, Spec};

/// A server that listens on a private port; killed with the test run at the latest.
pub struct Redis {
    port: u16,
    folder: PathBuf,
    process: Option<Process>,
}

impl Redis {
    /// Starts an empty server and waits until it answers.
    pub async fn start() -> Self {
        let mut server = Self { port: free_port(), folder: private_folder("redis"), process: None };
        server.start_again().await;
        server
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// `kill -9`: every connection breaks, everything in it is forgotten.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it on the same port, empty. Does nothing while it runs.
    pub async fn start_again(&mut self) {
        if self.process.is_some() {
            return;
        }
        let folder = self.folder.display().to_string();
        let command = [
            "redis-server",
            "--port",
            &self.port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            &folder,
        ];
        self.process = Some(Process::start(&Spec {
            command: command.map(str::to_owned).to_vec(),
            env: Vec::new(),
            log: &self.folder.join("log"),
            last_signal: "KILL",
            folder: Some(&self.folder),
            user: None,
        }));
        until("Redis answers", || async { self.command("PING").await.filter(|answer| answer == "+PONG\r\n") }).await;
    }

    /// Freezes (`STOP`) or thaws (`CONT`) the server: connections stay, nothing is answered.
    pub fn signal(&self, name: &str) {
        if let Some(process) = &self.process {
            process.signal(name);
        }
    }

    /// Sends one inline command (`FLUSHALL`, `CLIENT KILL TYPE pubsub`) and gives the first part of the raw answer.
    pub async fn command(&self, line: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.address()).await.ok()?;
        stream.write_all(format!("{line}\r\n").as_bytes()).await.ok()?;
        let mut answer = vec![0; 4096];
        let length = stream.read(&mut answer).await.ok()?;
        Some(String::from_utf8_lossy(&answer[..length]).into_owned())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::backends::{Backend, available};

    #[tokio::test]
    async fn a_killed_redis_comes_back_empty_on_the_same_address() {
        if !available(Backend::Redis) {
            return;
        }
        let mut redis = Redis::start().await;
        assert_eq!(redis.command("SET a 1").await.as_deref(), Some("+OK\r\n"));
        redis.kill();
        assert_eq!(redis.command("PING").await, None);
        redis.start_again().await;
        assert_eq!(redis.command("GET a").await.as_deref(), Some("$-1\r\n"));
    }
}
