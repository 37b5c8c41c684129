//! A child process that can be killed, frozen and read, and that never outlives the test run.
//!
//! A small shell holds each child. It reads from a pipe that only this process keeps open: when the run ends in any
//! way, also by a panic or `kill -9`, the read ends and the shell takes the child and its folder with it.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

use super::deadline::until_within;

/// $1 = signal at the end of the run, $2 = log, $3 = folder to remove or empty; then the command.
const HOLDER: &str = r#"
signal=$1 log=$2 folder=$3
shift 3
exec 3<&0
"$@" </dev/null 3<&- >>"$log" 2>&1 &
child=$!
(
  read -r _ <&3
  trap '' TERM
  kill -s "$signal" "$child" 2>/dev/null
  kill -s CONT "$child" 2>/dev/null
  while kill -0 "$child" 2>/dev/null; do sleep 0.05; done
  [ -z "$folder" ] || rm -rf "$folder"
) >/dev/null 2>&1 &
guard=$!
exec 3<&-
echo "$child"
exec >&-
wait "$child"
status=$?
kill -s TERM "$guard" 2>/dev/null
exit "$status"
"#;

/// What to run and how to end it.
pub struct Spec<'a> {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Added to the environment.
    pub env: Vec<(String, String)>,
    /// Output is appended here.
    pub log: &'a Path,
    /// The signal that ends the child when the run is over: `KILL`, or what the program needs to clean up.
    pub last_signal: &'a str,
    /// A folder that goes when the run is over.
    pub folder: Option<&'a Path>,
    /// User and group to run as, where they are not ours.
    pub user: Option<(u32, u32)>,
}

/// A running child, or one that has ended.
pub struct Process {
    holder: Child,
    /// The pipe whose end tells the holder that the run is over. Apart from `holder`, whose `wait` would close it.
    alive: Option<ChildStdin>,
    pid: u32,
    log: PathBuf,
}

impl Process {
    pub fn start(spec: &Spec<'_>) -> Self {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(HOLDER).arg("holder").arg(spec.last_signal).arg(spec.log);
        shell.arg(spec.folder.map_or("".as_ref(), Path::as_os_str)).args(&spec.command);
        // A developer's own settings must not decide a test.
        let settings = |(key, _): &(String, String)| key.starts_with("ROOKERY__") || key.ends_with("_URL");
        for (key, _) in std::env::vars().filter(settings) {
            shell.env_remove(key);
        }
        shell.envs(spec.env.iter().map(|(key, value)| (key, value)));
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        if let Some((user, group)) = spec.user {
            use std::os::unix::process::CommandExt;
            shell.uid(user).gid(group).current_dir("/");
        }
        let mut holder = shell.spawn().expect("every machine has sh");
        let mut said = String::new();
        holder.stdout.take().expect("piped").read_to_string(&mut said).expect("the holder says the pid");
        let pid = said.trim().parse().unwrap_or_else(|_| panic!("{:?} did not start: {said:?}", spec.command));
        let alive = holder.stdin.take();
        Self { holder, alive, pid, log: spec.log.to_owned() }
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends a signal by name: `KILL`, `TERM`, `STOP`, `CONT`.
    pub fn signal(&self, name: &str) {
        send_signal(self.pid, name);
    }

    /// The status, once the child has ended. 137 is `kill -9`.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.holder.try_wait().expect("the holder can be asked")
    }

    /// Waits for the end; panics after `limit`.
    pub async fn wait(&mut self, limit: Duration) -> ExitStatus {
        let what = format!("process {} ends", self.pid);
        until_within(limit, &what, || std::future::ready(self.ended())).await
    }

    /// Ends the child with a signal it can answer, and kills it when it takes longer than 5 s.
    pub fn end(&mut self, signal: &str) {
        self.signal(signal);
        for _ in 0..500 {
            if self.ended().is_some() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.kill();
    }

    /// Kills the child at once and waits until it is gone.
    pub fn kill(&mut self) {
        if self.ended().is_none() {
            self.signal("KILL");
            self.holder.wait().expect("the holder ends with its child");
        }
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends a signal to a process that may be gone already.
pub fn send_signal(pid: u32, name: &str) {
    let kill = format!("kill -s {name} {pid} 2>/dev/null");
    Command::new("sh").arg("-c").arg(kill).status().expect("every machine has sh");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec<'a>(log: &'a Path, script: &str) -> Spec<'a> {
        let command = vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()];
        Spec { command, env: Vec::new(), log, last_signal: "KILL", folder: None, user: None }
    }

    #[tokio::test]
    async fn a_child_that_ends_tells_its_status_and_its_words() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let mut child = Process::start(&spec(&log, "echo out; echo err >&2; exit 7"));
        assert_eq!(child.wait(super::super::deadline::DEADLINE).await.code(), Some(7));
        assert_eq!(child.log(), "out\nerr\n");
    }

    #[tokio::test]
    async fn a_frozen_child_can_be_killed() {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Process::start(&spec(&dir.path().join("log"), "exec sleep 60"));
        child.signal("STOP");
        child.kill();
        assert_eq!(child.ended().unwrap().code(), Some(137));
    }

    #[tokio::test]
    async fn a_child_and_its_folder_go_when_the_run_ends() {
        let dir = tempfile::tempdir().unwrap();
        let (log, folder) = (dir.path().join("log"), dir.path().join("folder"));
        fs::create_dir(&folder).unwrap();
        let mut child = Process::start(&Spec { folder: Some(&folder), ..spec(&log, "exec sleep 60") });
        drop(child.alive.take());
        super::super::deadline::until("the folder goes", || std::future::ready((!folder.exists()).then_some(()))).await;
        assert_eq!(child.ended().map(|status| status.code()), Some(Some(137)));
    }
}
