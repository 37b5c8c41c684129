//! A private Postgres server in a folder of its own, on disk, with fsync on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::{Connection, PgConnection};

use super::deadline::until_within;
use super::ports::free_port;
use super::process::{Process, Spec, send_signal};

/// Recovery after a kill reads and syncs the whole folder, beside whatever else the machine does.
const START_LIMIT: Duration = Duration::from_secs(60);

static DATABASES: AtomicU32 = AtomicU32::new(0);

/// A server that listens on a private port; killed, and its data removed, with the test run at the latest.
pub struct Postgres {
    port: u16,
    folder: PathBuf,
    process: Option<Process>,
}

impl Postgres {
    /// Whether this machine has the server's programs.
    pub fn is_installed() -> bool {
        program("initdb").is_some()
    }

    /// Initialises a fresh server and waits until it answers.
    pub async fn start() -> Self {
        let folder = private_folder("postgres");
        let user = server_user();
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(&folder, Some(uid), Some(gid)).expect("root may give a folder away");
        }
        let data = folder.join("data").display().to_string();
        let mut initdb = Command::new(program("initdb").expect("the caller asked whether Postgres is installed"));
        initdb.args(["--no-sync", "-A", "trust", "-U", "rookery", "-E", "UTF8", "--locale=C", "-D", &data]);
        if let Some((uid, gid)) = user {
            use std::os::unix::process::CommandExt;
            initdb.uid(uid).gid(gid).current_dir("/");
        }
        let done = initdb.output().expect("initdb runs");
        assert!(done.status.success(), "initdb: {}", String::from_utf8_lossy(&done.stderr));
        let mut server = Self { port: free_port(), folder, process: None };
        server.start_again().await;
        server
    }

    /// The address of a database of this server.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://rookery@127.0.0.1:{}/{database}", self.port)
    }

    /// Creates an empty database and gives its address.
    pub async fn fresh_database(&self) -> String {
        let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        let mut connection = PgConnection::connect(&self.url("postgres")).await.expect("the server answers");
        let create = format!("CREATE DATABASE {name} TEMPLATE template0");
        sqlx::raw_sql(sqlx::AssertSqlSafe(create)).execute(&mut connection).await.expect("a new name");
        self.url(&name)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// `kill -9` of the whole server, as a power cut would: what was committed must be there after [`Self::start_again`].
    pub async fn kill(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        // A frozen server starts no backend between the count and the kill.
        process.signal("STOP");
        let backends = children_of(process.pid());
        process.kill();
        // They notice by themselves, but a new server may not start before the last of them is gone.
        backends.iter().for_each(|pid| send_signal(*pid, "KILL"));
        let gone =
            || async { (!backends.iter().any(|pid| Path::new(&format!("/proc/{pid}/fd/0")).exists())).then_some(()) };
        until_within(START_LIMIT, "the last backend is gone", gone).await;
    }

    /// Starts the server on the data that it left. Does nothing while it runs.
    pub async fn start_again(&mut self) {
        if self.process.is_some() {
            return;
        }
        let process = self.spawn();
        let url = self.url("postgres");
        let answers = || async { PgConnection::connect(&url).await.ok() };
        until_within(START_LIMIT, "Postgres answers", answers).await;
        self.process = Some(process);
    }

    /// Freezes (`STOP`) or thaws (`CONT`) the server and all its backends.
    pub fn signal_all(&self, name: &str) {
        let Some(process) = &self.process else { return };
        children_of(process.pid()).into_iter().for_each(|pid| send_signal(pid, name));
        process.signal(name);
    }

    /// Stops the server after what runs, as an operator would.
    pub async fn stop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        process.signal("INT");
        process.wait(Duration::from_secs(30)).await;
    }

    fn spawn(&self) -> Process {
        // A kill leaves the lock file; Postgres would remove it itself once it sees that its pid is gone, which a
        // reused pid can prevent.
        let lock = self.folder.join("data/postmaster.pid");
        if lock.exists() {
            fs::remove_file(lock).expect("the folder is ours");
        }
        let (port, data) = (self.port.to_string(), self.folder.join("data").display().to_string());
        let settings =
            ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=300", "shared_buffers=64MB"];
        let postgres = program("postgres").expect("it was there a moment ago").display().to_string();
        let mut command = vec![postgres, "-D".into(), data, "-p".into(), port];
        command.extend(settings.iter().flat_map(|setting| ["-c".to_owned(), (*setting).to_owned()]));
        Process::start(&Spec {
            command,
            env: Vec::new(),
            log: &self.folder.join("log"),
            last_signal: "QUIT",
            folder: Some(&self.folder),
            user: server_user(),
        })
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // Not `KILL`: it would leave its shared memory behind.
            process.end("QUIT");
        }
        fs::remove_dir_all(&self.folder).ok();
    }
}

/// A folder on disk that another user can reach, also where the repository lies in somebody's home.
pub fn private_folder(name: &str) -> PathBuf {
    let parent = Path::new("/var/tmp");
    let parent = if parent.is_dir() { parent.to_owned() } else { std::env::temp_dir() };
    tempfile::Builder::new().prefix(&format!("rookery-{name}-")).tempdir_in(parent).expect("a folder on disk").keep()
}

fn program(name: &str) -> Option<PathBuf> {
    let on_path =
        std::env::var_os("PATH").into_iter().flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let mut debian: Vec<PathBuf> =
        fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|e| e.path().join("bin")).collect();
    debian.sort();
    debian.into_iter().rev().chain(on_path).map(|dir| dir.join(name)).find(|path| path.is_file())
}

/// Postgres refuses to run as root: as root it runs as the user that comes with the package.
fn server_user() -> Option<(u32, u32)> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().next());
    if uid != Some("0") {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let line = users.lines().find(|line| line.starts_with("postgres:"))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

fn children_of(parent: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::backends::{Backend, available};

    #[tokio::test]
    async fn what_was_committed_survives_kill_9() {
        if !available(Backend::Postgres) {
            return;
        }
        let mut server = Postgres::start().await;
        let url = server.fresh_database().await;
        let mut connection = PgConnection::connect(&url).await.unwrap();
        sqlx::raw_sql("CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)").execute(&mut connection).await.unwrap();
        server.kill().await;
        assert!(PgConnection::connect(&url).await.is_err(), "a killed server does not answer");
        server.start_again().await;
        let mut connection = PgConnection::connect(&url).await.unwrap();
        assert_eq!(sqlx::query_scalar::<_, i32>("SELECT n FROM kept").fetch_one(&mut connection).await.unwrap(), 7);
    }
}
