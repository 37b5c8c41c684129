//! The backends that all tests of a run share: one Postgres with a database per test, one Redis with a prefix per test.

use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::OnceCell;

use super::balancer::Balancer;
use super::postgres::Postgres;
use super::redis::Redis;

static POSTGRES: OnceCell<Postgres> = OnceCell::const_new();
static REDIS: OnceCell<Redis> = OnceCell::const_new();
static PREFIXES: AtomicU32 = AtomicU32::new(0);

/// What a test may need and a machine may lack.
#[derive(Debug, Clone, Copy)]
pub enum Backend {
    Postgres,
    Redis,
    /// The round-robin proxy.
    Haproxy,
    /// The runtime of the real socket.io-client.
    Node,
}

impl Backend {
    fn is_installed(self) -> bool {
        let answers = |program: &str| std::process::Command::new(program).arg("--version").output().is_ok();
        match self {
            Self::Postgres => Postgres::is_installed(),
            Self::Redis => answers("redis-server"),
            Self::Haproxy => Balancer::is_installed(),
            Self::Node => answers("node"),
        }
    }
}

/// Whether a test may go on. Where a backend is missing the run says so; with `REQUIRE_BACKENDS=1` that is a failure.
pub fn available(backend: Backend) -> bool {
    if backend.is_installed() {
        return true;
    }
    let required = std::env::var("REQUIRE_BACKENDS").is_ok_and(|value| value == "1");
    assert!(!required, "{backend:?} is required (REQUIRE_BACKENDS=1) and not installed");
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    // Not `eprintln!`, which is not shown for a test that passes.
    writeln!(std::io::stderr(), "skipped: {test} needs {backend:?}, which deploy/local/install.sh installs").ok();
    false
}

/// The address of an empty database of the run's Postgres; `None` where Postgres is not installed.
pub async fn fresh_database() -> Option<String> {
    if !available(Backend::Postgres) {
        return None;
    }
    Some(POSTGRES.get_or_init(Postgres::start).await.fresh_database().await)
}

/// The address of the run's Redis; `None` where Redis is not installed. Tests keep apart by [`unique_prefix`].
pub async fn redis_url() -> Option<String> {
    if !available(Backend::Redis) {
        return None;
    }
    Some(REDIS.get_or_init(Redis::start).await.url())
}

/// A prefix for keys and topics that no other test of this run has.
pub fn unique_prefix() -> String {
    format!("t{}-{}:", std::process::id(), PREFIXES.fetch_add(1, Ordering::Relaxed))
}

/// A Postgres of the test's own, to be killed and started again.
pub async fn private_postgres() -> Option<Postgres> {
    if !available(Backend::Postgres) {
        return None;
    }
    Some(Postgres::start().await)
}

/// A Redis of the test's own, to be killed and started again. It costs milliseconds: every cluster has one.
pub async fn private_redis() -> Option<Redis> {
    if !available(Backend::Redis) {
        return None;
    }
    Some(Redis::start().await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_test_gets_an_empty_database_of_its_own() {
        let (Some(first), Some(second)) = (fresh_database().await, fresh_database().await) else { return };
        assert_ne!(first, second);
        assert_ne!(unique_prefix(), unique_prefix());
    }
}
