//! The Node process that holds a test's socket.io-clients, spoken to with JSON lines.

use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::{Map, Value};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{Mutex as AsyncMutex, Notify, oneshot};

/// Something that a client saw: `event`, `connect`, `disconnect`, `refused`, or what a device observes.
#[derive(Debug, Clone)]
pub struct Seen {
    pub kind: String,
    /// Wall-clock milliseconds in the driver.
    pub at: f64,
    pub fields: Map<String, Value>,
}

/// Everything that one client has seen, in order, and who waits for more.
#[derive(Default)]
pub struct Inbox {
    seen: Mutex<Vec<(Seen, bool)>>,
    more: Notify,
}

impl Inbox {
    fn push(&self, seen: Seen) {
        self.seen.lock().expect("no test panics while it holds the inbox").push((seen, false));
        self.more.notify_waiters();
    }

    /// Everything seen so far, taken or not.
    pub fn all(&self) -> Vec<Seen> {
        self.seen.lock().expect("as above").iter().map(|(seen, _)| seen.clone()).collect()
    }

    pub fn count(&self, fits: impl Fn(&Seen) -> bool) -> usize {
        self.seen.lock().expect("as above").iter().filter(|(seen, _)| fits(seen)).count()
    }

    /// Takes the first that fits and was not taken yet, waiting for it without end.
    pub async fn take(&self, fits: impl Fn(&Seen) -> bool) -> Seen {
        loop {
            let more = self.more.notified();
            tokio::pin!(more);
            // Registered before looking, so that nothing that comes in between is missed.
            more.as_mut().enable();
            if let Some((seen, taken)) =
                self.seen.lock().expect("as above").iter_mut().find(|(seen, taken)| !taken && fits(seen))
            {
                *taken = true;
                return seen.clone();
            }
            more.await;
        }
    }
}

type Waiting = Mutex<HashMap<u64, oneshot::Sender<Result<Value, String>>>>;

/// One Node process with any number of clients in it. Ends with its owner.
pub struct Driver {
    stdin: AsyncMutex<ChildStdin>,
    next_id: AtomicU64,
    waiting: Arc<Waiting>,
    inboxes: Arc<Mutex<HashMap<String, Arc<Inbox>>>>,
    _process: Child,
}

impl Driver {
    /// Starts Node; installs the npm packages first where they are missing.
    pub async fn start() -> Arc<Self> {
        install_packages();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support");
        let mut process = Command::new("node")
            .arg("driver.mjs")
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node is installed: deploy/local/install.sh");
        let stdin = AsyncMutex::new(process.stdin.take().expect("piped"));
        let lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let (waiting, inboxes) = (Arc::new(Waiting::default()), Arc::default());
        // Ends by itself when Node ends, which it does with this driver.
        tokio::spawn(read(lines, Arc::clone(&waiting), Arc::clone(&inboxes)));
        Arc::new(Self { stdin, next_id: AtomicU64::new(1), waiting, inboxes, _process: process })
    }

    /// The inbox of a client that is about to be opened under this name.
    pub fn inbox(&self, client: &str) -> Arc<Inbox> {
        let mut inboxes = self.inboxes.lock().expect("no test panics while it holds the inboxes");
        Arc::clone(inboxes.entry(client.to_owned()).or_default())
    }

    /// A name that no client of this driver has: the user's, numbered.
    pub fn fresh_name(&self, user: &str) -> String {
        format!("{user}#{}", self.next_id.fetch_add(1, Ordering::Relaxed))
    }

    /// Gives a command and waits for its reply; `Err` is the message of what was thrown.
    pub async fn command(&self, mut command: Value) -> Result<Value, String> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        command["id"] = id.into();
        let (reply, replied) = oneshot::channel();
        self.waiting.lock().expect("no test panics while it holds the replies").insert(id, reply);
        let line = format!("{command}\n");
        self.stdin.lock().await.write_all(line.as_bytes()).await.expect("Node runs as long as its driver");
        replied.await.map_err(|_| "Node has ended; its error is above".to_owned())?
    }
}

async fn read(
    mut lines: Lines<BufReader<ChildStdout>>,
    waiting: Arc<Waiting>,
    inboxes: Arc<Mutex<HashMap<String, Arc<Inbox>>>>,
) {
    while let Ok(Some(line)) = lines.next_line().await {
        let Value::Object(mut said) = serde_json::from_str(&line).expect("the driver writes JSON lines") else {
            panic!("the driver writes objects: {line}");
        };
        if let Some(id) = said.get("id").and_then(Value::as_u64).filter(|_| !said.contains_key("client")) {
            let reply = waiting.lock().expect("as above").remove(&id);
            let outcome = match said.remove("error") {
                Some(error) => Err(error.as_str().unwrap_or("an error without words").to_owned()),
                None => Ok(said.remove("value").unwrap_or(Value::Null)),
            };
            // Whoever asked may have reached its deadline meanwhile.
            reply.and_then(|reply| reply.send(outcome).err());
            continue;
        }
        let mut text = |key: &str| said.remove(key).and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
        let (client, kind) = (text("client"), text("kind"));
        let at = said.remove("at").and_then(|v| v.as_f64()).unwrap_or_default();
        let inbox = inboxes.lock().expect("as above").get(&client).cloned();
        inbox.expect("an inbox is made before its client").push(Seen { kind, at, fields: said });
    }
    waiting.lock().expect("as above").clear();
}

/// Installs the npm packages of this folder where they are missing, once per run.
pub fn install_packages() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let done = std::process::Command::new(root.join("deploy/local/npm.sh"))
            .arg(root.join("tests/it/support"))
            .output()
            .expect("bash is installed");
        assert!(done.status.success(), "npm ci: {}", String::from_utf8_lossy(&done.stderr));
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::backends::{Backend, available};
    use serde_json::json;

    #[tokio::test]
    async fn a_client_that_reaches_nobody_says_so_and_an_unknown_name_is_an_error() {
        if !available(Backend::Node) {
            return;
        }
        let driver = Driver::start().await;
        let inbox = driver.inbox("ann");
        let url = format!("http://127.0.0.1:{}", super::super::ports::free_port());
        driver.command(json!({ "op": "open", "client": "ann", "url": url, "options": {} })).await.unwrap();
        let refused = inbox.take(|seen| seen.kind == "refused").await;
        assert_eq!(refused.fields["message"], "xhr poll error");
        let error = driver.command(json!({ "op": "state", "client": "bob" })).await.unwrap_err();
        assert_eq!(error, "no client is called bob");
    }
}
