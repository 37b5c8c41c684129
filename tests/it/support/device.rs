//! A device that keeps the client's half of the promise: cursors, repair, an outbox; and records what it sees.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::checker::observation::{Observation, Recorder};
use super::client::Connection;
use super::deadline::until;
use super::driver::{Driver, Inbox};

/// One device of one user, in the driver.
pub struct Device {
    driver: Arc<Driver>,
    user: String,
    name: String,
    inbox: Arc<Inbox>,
}

impl Device {
    /// Opens a device that reads `conversations` from the given cursors: 0 is everything, `None` from the head on.
    pub async fn open(
        driver: Arc<Driver>,
        user: &str,
        connection: Connection,
        token: &str,
        conversations: &[(&str, Option<u64>)],
    ) -> Self {
        let name = driver.fresh_name(user);
        let inbox = driver.inbox(&name);
        let cursors: BTreeMap<&str, Option<u64>> = conversations.iter().copied().collect();
        let mut options = connection.options().clone();
        // The device makes the handshake's `auth` itself, anew for each connection.
        options.as_object_mut().expect("options are an object").remove("auth");
        let device = Self { driver, user: user.to_owned(), name, inbox };
        let settings = json!({ "user": user, "token": token, "cursors": cursors });
        device
            .command(json!({ "op": "device", "url": connection.url(), "options": options, "device": settings }))
            .await;
        device
    }

    pub fn user(&self) -> &str {
        &self.user
    }

    /// Puts a message into the outbox; gives its clientId. Does not wait for the ack.
    pub async fn send(&self, conversation: &str, content: &str) -> String {
        let send = json!({ "op": "send", "conversationId": conversation, "content": content });
        self.command(send).await.as_str().expect("send gives the clientId").to_owned()
    }

    /// Begins to read one more conversation.
    pub async fn follow(&self, conversation: &str, cursor: Option<u64>) {
        self.command(json!({ "op": "follow", "conversationId": conversation, "cursor": cursor })).await;
    }

    /// Waits until everything sent has its final answer.
    pub async fn outbox_is_empty(&self) {
        let what = format!("the outbox of {} is empty", self.name);
        until(&what, || async { (self.state().await["outbox"] == 0).then_some(()) }).await;
    }

    /// Waits until the device has seen a conversation up to `head`.
    pub async fn reaches(&self, conversation: &str, head: u64) {
        let what = format!("{} reaches {head} of {conversation}", self.name);
        until(&what, || async { (self.cursor(conversation).await? >= head).then_some(()) }).await;
    }

    /// Waits until the device has seen a conversation up to `head`, or does not read it any more.
    pub async fn is_done_with(&self, conversation: &str, head: u64) {
        let what = format!("{} is done with {conversation} at {head}", self.name);
        until(&what, || async {
            let state = self.state().await;
            let cursor = state["cursors"].get(conversation).map(|cursor| cursor.as_u64().is_some_and(|at| at >= head));
            cursor.unwrap_or(true).then_some(())
        })
        .await;
    }

    /// The last seq seen of a conversation; `None` when it is not read (any more).
    pub async fn cursor(&self, conversation: &str) -> Option<u64> {
        self.state().await["cursors"][conversation].as_u64()
    }

    /// `{cursors, personal, outbox, syncing}` now.
    pub async fn state(&self) -> Value {
        self.command(json!({ "op": "state" })).await["device"].take()
    }

    pub async fn is_connected(&self) -> bool {
        self.command(json!({ "op": "state" })).await["connected"] == true
    }

    /// How many observations of this kind (`ack`, `deliver`, `gap`) there are so far.
    pub fn count(&self, kind: &str) -> usize {
        self.inbox.count(|seen| seen.kind == kind)
    }

    /// Ends the attempts: what has no answer by now stays unknown.
    pub async fn give_up(&self) {
        self.command(json!({ "op": "giveUp" })).await;
    }

    /// Closes the transport; the device comes back by itself and syncs.
    pub async fn drop_transport(&self) {
        self.command(json!({ "op": "drop" })).await;
    }

    pub async fn disconnect(&self) {
        self.command(json!({ "op": "disconnect" })).await;
    }

    pub async fn connect(&self) {
        self.command(json!({ "op": "connect" })).await;
    }

    async fn command(&self, mut command: Value) -> Value {
        command["client"] = self.name.as_str().into();
        self.driver.command(command).await.unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }
}

impl Recorder for Device {
    fn device(&self) -> String {
        self.name.clone()
    }

    fn user(&self) -> String {
        self.user.clone()
    }

    fn observations(&self) -> Vec<Observation> {
        self.inbox.all().iter().filter_map(|seen| Observation::parse(seen.at, &seen.kind, &seen.fields)).collect()
    }
}
