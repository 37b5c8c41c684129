//! The command line: where the server is, which words it uses, what to measure.

use std::net::SocketAddrV4;

use clap::{Args, Parser, Subcommand};

/// Loads a Socket.IO server and prints one JSON object with what was measured.
#[derive(Parser)]
pub struct Cli {
    #[command(flatten)]
    pub options: Options,
    #[command(subcommand)]
    pub measure: Measure,
}

/// Where the server is and which words it uses. Templates know {i} {i12} (number of the user or conversation, plain or as 12 hex
/// digits), {user} {jwt} {c} {content} {cid}.
#[derive(Args, Clone)]
pub struct Options {
    /// Nodes; connections are spread round robin
    #[arg(long, default_value = "127.0.0.1:7001,127.0.0.1:7002", value_delimiter = ',')]
    pub urls: Vec<SocketAddrV4>,
    #[arg(long, default_value = "/socket.io/?EIO=4&transport=websocket")]
    pub path: String,
    /// HS256 secret that the tokens are signed with
    #[arg(long)]
    pub secret: String,
    #[arg(long, default_value = "u{i}")]
    pub user: String,
    /// A conversation's id as JSON
    #[arg(long, default_value = r#""00000000-0000-4000-9000-{i12}""#)]
    pub conversation: String,
    #[arg(long, default_value = r#"{"sub":"{user}","exp":4102444800}"#)]
    pub claims: String,
    #[arg(long, default_value = r#"{"token":"{jwt}"}"#)]
    pub auth: String,
    /// Empty: no join is sent
    #[arg(long, default_value = r#"["conversation:join",{"conversationId":{c}}]"#)]
    pub join: String,
    #[arg(long, default_value = r#"["message:send",{"conversationId":{c},"content":"{content}","clientId":"{cid}"}]"#)]
    pub send: String,
    /// Event name under which messages arrive
    #[arg(long, default_value = "message:new")]
    pub new_event: String,
    /// What stands before the server's own number in an event
    #[arg(long, default_value = "\"seq\":")]
    pub seq_key: String,
    /// An ack that contains this is an error
    #[arg(long, default_value = "\"error\"")]
    pub error: String,
    /// Number of the first user
    #[arg(long, default_value_t = 0)]
    pub first: u64,
    /// Number of the first conversation
    #[arg(long, default_value_t = 1)]
    pub conversation_base: u64,
    /// Bytes of a message's content
    #[arg(long, default_value_t = 120)]
    pub content_bytes: usize,
    /// Handshakes in flight at once
    #[arg(long, default_value_t = 256)]
    pub handshakes: usize,
    /// Source addresses 127.0.1.1..=n, so that ports do not run out
    #[arg(long, default_value_t = 8)]
    pub sources: u8,
    /// name=pid,...: processes whose CPU (with direct children) and memory are reported
    #[arg(long, value_delimiter = ',')]
    pub pids: Vec<String>,
    /// Printed with the result
    #[arg(long, default_value = "")]
    pub label: String,
}

#[derive(Subcommand, Clone)]
pub enum Measure {
    /// Open n connections and hold them
    Idle {
        #[arg(long)]
        n: usize,
        #[arg(long, default_value_t = 30.0)]
        secs: f64,
        #[arg(long)]
        join: bool,
    },
    /// Open n connections as quickly as possible
    Storm {
        #[arg(long)]
        n: usize,
        #[arg(long)]
        join: bool,
    },
    /// rooms x members at a set total rate (messages/s)
    Fanout(Rooms),
    /// Search for the highest rate with p99 below the limit, nothing lost, >= 97 % delivered in time
    Max {
        #[command(flatten)]
        rooms: Rooms,
        /// Milliseconds
        #[arg(long, default_value_t = 200.0)]
        p99: f64,
    },
    /// Closed loop: rooms of 2, `inflight` unacknowledged messages in all
    Ingest {
        #[arg(long)]
        rooms: usize,
        #[arg(long, default_value_t = 256)]
        inflight: usize,
        #[arg(long, default_value_t = 10.0)]
        secs: f64,
        #[arg(long, default_value_t = 2.0)]
        warmup: f64,
    },
}

/// Who talks how fast to whom.
#[derive(Args, Clone)]
pub struct Rooms {
    #[arg(long)]
    pub rooms: usize,
    #[arg(long)]
    pub members: usize,
    /// Messages per second over all rooms; for max the rate to start from
    #[arg(long)]
    pub rate: f64,
    #[arg(long, default_value_t = 10.0)]
    pub secs: f64,
    /// Members of a room who send
    #[arg(long, default_value_t = 2)]
    pub publishers: usize,
    #[arg(long, default_value_t = 2.0)]
    pub warmup: f64,
}
