//! What README.md promises a newcomer, done word for word: a node without any settings, two tokens, ten lines that chat.

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::support::backends::{Backend, available};
use crate::support::deadline::{DEADLINE, until};
use crate::support::driver::install_packages;
use crate::support::ports::free_port;
use crate::support::process::{Process, Spec};

const ROOKERY: &str = env!("CARGO_BIN_EXE_rookery");
const URL_IN_README: &str = "http://127.0.0.1:3000";

/// The only JavaScript in the README.
fn lines_that_chat() -> String {
    let readme = include_str!("../../README.md");
    let code = readme.split("```js\n").nth(1).and_then(|rest| rest.split("```").next());
    code.expect("the README has a block of JavaScript").to_owned()
}

/// `rookery` started in an empty folder, with nothing set but its addresses.
async fn newcomers_node(folder: &Path, url: &str) -> Process {
    let address = url.trim_start_matches("http://").to_owned();
    let admin = format!("127.0.0.1:{}", free_port());
    let ready = format!("http://{admin}/readyz");
    let in_folder = "cd \"$0\" && exec \"$1\"";
    let command = ["sh", "-c", in_folder, &folder.display().to_string(), ROOKERY].map(str::to_owned).to_vec();
    let env =
        vec![("ROOKERY__SERVER__LISTEN".to_owned(), address), ("ROOKERY__SERVER__ADMIN_LISTEN".to_owned(), admin)];
    let log = folder.join("log");
    let node = Process::start(&Spec { command, env, log: &log, last_signal: "KILL", folder: None, user: None });
    let is_ready = async || reqwest::get(&ready).await.ok().filter(|answer| answer.status().is_success()).map(drop);
    until("the newcomer's node is ready", is_ready).await;
    node
}

async fn token(folder: &Path, user: &str, name: &str) -> String {
    let mut command = Command::new(ROOKERY);
    let told = command.args(["token", "--user", user, "--name", name]).current_dir(folder).output().await.unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    String::from_utf8(told.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn the_ten_lines_of_the_readme_chat_with_a_node_that_has_no_settings() {
    if !available(Backend::Node) {
        return;
    }
    install_packages();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://127.0.0.1:{}", free_port());
    let node = newcomers_node(folder.path(), &url).await;
    let mut chat = Command::new("node")
        .args(["--input-type=module", "--eval", &lines_that_chat().replace(URL_IN_README, &url)])
        // Where `socket.io-client` is installed.
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support"))
        .env("ANN", token(folder.path(), "ann", "Ann").await)
        .env("BOB", token(folder.path(), "bob", "Bob").await)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(chat.stdout.take().unwrap()).lines();
    let mut heard = Vec::new();
    let both = async {
        while !(heard.contains(&"Ann: Hello, Bob!".to_owned()) && heard.iter().any(|line| line.contains("ok: true"))) {
            heard.push(lines.next_line().await.unwrap().expect("the chat goes on until it is heard"));
        }
    };
    let in_time = tokio::time::timeout(DEADLINE, both).await;
    assert!(in_time.is_ok(), "heard {heard:?}; the node says:\n{}", node.log());
}
