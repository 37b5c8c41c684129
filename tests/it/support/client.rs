//! A user's socket, with the verbs a test speaks: `ann.say(&room, "hi").await; bob.hears("hi").await;`

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::deadline::DEADLINE;
use super::driver::{Driver, Inbox, Seen};

/// Where a client connects and how: what socket.io-client takes as its options.
#[derive(Debug, Clone)]
pub struct Connection {
    url: String,
    options: Value,
}

impl Connection {
    pub fn to(url: &str) -> Self {
        Self { url: url.to_owned(), options: json!({ "auth": {} }) }
    }

    /// The access token in the handshake's `auth`.
    #[must_use]
    pub fn token(self, token: &str) -> Self {
        self.auth("token", json!(token))
    }

    /// Another field of the handshake's `auth`: `dialect`, `device`, `personal`.
    #[must_use]
    pub fn auth(mut self, key: &str, value: Value) -> Self {
        self.options["auth"][key] = value;
        self
    }

    /// `["polling"]`, `["websocket"]`; without it the defaults of socket.io-client.
    #[must_use]
    pub fn transports(self, transports: &[&str]) -> Self {
        self.option("transports", json!(transports))
    }

    /// Any option of socket.io-client: `query`, `path`, `reconnection`, `extraHeaders`.
    #[must_use]
    pub fn option(mut self, key: &str, value: Value) -> Self {
        self.options[key] = value;
        self
    }

    /// The address with a namespace.
    #[must_use]
    pub fn namespace(mut self, namespace: &str) -> Self {
        self.url.push_str(namespace);
        self
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn options(&self) -> &Value {
        &self.options
    }
}

/// One socket.io-client of one user.
pub struct Client {
    driver: Arc<Driver>,
    user: String,
    name: String,
    inbox: Arc<Inbox>,
}

impl Client {
    /// Opens a socket that begins to connect; [`Self::ready`] or [`Self::refused`] says how that went.
    pub async fn open(driver: Arc<Driver>, user: &str, connection: Connection) -> Self {
        let name = driver.fresh_name(user);
        let inbox = driver.inbox(&name);
        let client = Self { driver, user: user.to_owned(), name, inbox };
        client.command(json!({ "op": "open", "url": connection.url, "options": connection.options })).await;
        client
    }

    /// Waits for `session:ready`.
    pub async fn ready(self) -> Self {
        self.expect_event("session:ready").await;
        self
    }

    pub fn user(&self) -> &str {
        &self.user
    }

    // ---- the user's verbs

    /// Joins a conversation at its head; gives the ack.
    pub async fn join(&self, conversation: &str) -> Value {
        self.asks("conversation:join", json!({ "conversationId": conversation })).await
    }

    /// Sends a text that must be acked `ok`; gives the message.
    pub async fn say(&self, conversation: &str, text: &str) -> Value {
        let client_id = uuid::Uuid::new_v4().to_string();
        self.say_as(conversation, text, &client_id).await["message"].take()
    }

    /// Sends a text under a clientId of the test's choice; gives the whole ack: `message`, `duplicate`.
    pub async fn say_as(&self, conversation: &str, text: &str, client_id: &str) -> Value {
        let send = json!({ "conversationId": conversation, "clientId": client_id, "content": text });
        self.asks("message:send", send).await
    }

    /// Waits for a `message:new` with this text; gives the event.
    pub async fn hears(&self, text: &str) -> Value {
        let new = |seen: &Seen| is_event(seen, "message:new") && seen.fields["args"][0]["message"]["content"] == text;
        self.expect(&format!("hears {text:?}"), DEADLINE, new).await.fields["args"][0].clone()
    }

    // ---- what lies below the verbs

    /// Emits with one payload and waits for an ack that says `ok`; gives the ack.
    pub async fn asks(&self, event: &str, payload: Value) -> Value {
        let sent = payload.to_string();
        let ack = self.emit_with_ack(event, payload).await;
        assert_eq!(ack["ok"], true, "{} asked {event} {sent}: {ack}", self.user);
        ack
    }

    /// Emits with one payload and waits for an ack that refuses; gives its `error`.
    pub async fn is_refused(&self, event: &str, payload: Value) -> Value {
        let ack = self.emit_with_ack(event, payload).await;
        assert_eq!(ack["ok"], false, "a refusal of {event} is wanted: {ack}");
        ack["error"].clone()
    }

    /// Emits with one payload and gives whatever the ack says.
    pub async fn emit_with_ack(&self, event: &str, payload: Value) -> Value {
        self.emit_raw_with_ack(json!([event, payload])).await[0].take()
    }

    /// Emits any arguments, the event's name first, and gives the ack's arguments.
    pub async fn emit_raw_with_ack(&self, args: Value) -> Value {
        self.try_emit_with_ack(args, DEADLINE).await.unwrap_or_else(|error| panic!("{}: {error}", self.user))
    }

    /// Emits any arguments; `Err` when no ack came in time or the connection went first.
    pub async fn try_emit_with_ack(&self, args: Value, limit: Duration) -> Result<Value, String> {
        let ask = json!({ "op": "ask", "client": self.name, "args": args, "timeoutMs": limit.as_millis() });
        self.driver.command(ask).await
    }

    /// Emits without asking for an ack.
    pub async fn emit(&self, event: &str, payload: Value) {
        self.command(json!({ "op": "emit", "args": [event, payload] })).await;
    }

    /// Waits for the next event of this name that no one took yet; gives its first argument.
    pub async fn expect_event(&self, event: &str) -> Value {
        self.expect_event_within(event, DEADLINE).await
    }

    pub async fn expect_event_within(&self, event: &str, limit: Duration) -> Value {
        let seen = self.expect(&format!("expects {event}"), limit, |seen| is_event(seen, event)).await;
        seen.fields["args"][0].clone()
    }

    /// Waits for the next event of this name whose first argument fits.
    pub async fn expect_event_where(&self, event: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let wanted = |seen: &Seen| is_event(seen, event) && fits(&seen.fields["args"][0]);
        self.expect(&format!("expects a certain {event}"), DEADLINE, wanted).await.fields["args"][0].clone()
    }

    /// The first arguments of all events of this name so far, in order, taken or not.
    pub fn events(&self, event: &str) -> Vec<Value> {
        self.inbox.all().iter().filter(|s| is_event(s, event)).map(|s| s.fields["args"][0].clone()).collect()
    }

    // ---- the connection

    /// Waits for `connect`, the first or the next; gives `{id, transport}`.
    pub async fn connected(&self) -> Value {
        self.expect("connects", DEADLINE, |seen| seen.kind == "connect").await.fields.into()
    }

    /// Waits for `disconnect`; gives socket.io-client's reason.
    pub async fn disconnected(&self) -> String {
        let seen = self.expect("is disconnected", DEADLINE, |seen| seen.kind == "disconnect").await;
        seen.fields["reason"].as_str().unwrap_or_default().to_owned()
    }

    /// Waits for `connect_error`; gives `{message, data}`.
    pub async fn refused(&self) -> Value {
        self.expect("is refused", DEADLINE, |seen| seen.kind == "refused").await.fields.into()
    }

    /// Waits until polling has given way to WebSocket.
    pub async fn upgraded(&self) {
        self.expect("is upgraded", DEADLINE, |seen| seen.kind == "upgrade").await;
    }

    /// `{connected, id, transport}` now.
    pub async fn state(&self) -> Value {
        self.command(json!({ "op": "state" })).await
    }

    pub async fn connect(&self) {
        self.command(json!({ "op": "connect" })).await;
    }

    /// Leaves for good, until [`Self::connect`].
    pub async fn disconnect(&self) {
        self.command(json!({ "op": "disconnect" })).await;
    }

    /// Closes the transport; socket.io-client then comes back by itself.
    pub async fn drop_transport(&self) {
        self.command(json!({ "op": "drop" })).await;
    }

    /// Replaces the handshake's `auth` for the next connection.
    pub async fn set_auth(&self, auth: Value) {
        self.command(json!({ "op": "auth", "auth": auth })).await;
    }

    async fn expect(&self, what: &str, limit: Duration, fits: impl Fn(&Seen) -> bool) -> Seen {
        let Ok(seen) = tokio::time::timeout(limit, self.inbox.take(fits)).await else {
            let all = self.inbox.all();
            let told: Vec<String> =
                all.iter().map(|s| format!("  {} {}", s.kind, Value::from(s.fields.clone()))).collect();
            panic!("{} {what}: not within {limit:?}. Seen so far:\n{}", self.name, told.join("\n"));
        };
        seen
    }

    async fn command(&self, mut command: Value) -> Value {
        command["client"] = self.name.as_str().into();
        self.driver.command(command).await.unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }
}

fn is_event(seen: &Seen, event: &str) -> bool {
    seen.kind == "event" && seen.fields["event"] == event
}
