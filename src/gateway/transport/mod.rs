//! Engine.IO v4 and Socket.IO v5 over hyper and tokio: long-polling, WebSocket, and the change from one to the other.
//!
//! Division of work: the transport carries packets, keeps connections alive and ends them; what events mean is the [`Application`]'s
//! affair. The gateway implements [`Application`] and [`Session`], and writes through [`Socket`]s with [`Frame`]s that are encoded once
//! for all their receivers. `app` fills a [`TransportConfig`], starts a [`Transport`] and gives it to [`serve`].
//!
//! Reading order: a request comes to `listener`, `service` decides what it asks for, `polling` and `upgrade` open or carry on a
//! `connection`, `websocket` is the task of one; `inbound` acts on packets, `outbox` writes them, `keeper` watches the deadlines.

mod address;
mod application;
mod body;
mod config;
mod connection;
mod deadlines;
mod event;
mod forward;
mod frame;
mod handshake;
mod hop;
mod inbound;
mod keeper;
mod listener;
mod node;
mod origin;
mod outbox;
mod pacer;
mod packet;
mod polling;
mod refusal;
mod registry;
mod rfc6455;
mod service;
mod sid;
mod socket;
mod tally;
mod tunnel;
mod upgrade;
mod websocket;

pub use address::ClientAddress;
pub use application::{Application, CloseReason, ConnectAsk, DisconnectReason, Refusal, Session, Taken};
pub use config::{QueueBound, TransportConfig};
pub use event::{EVENT_ARGS_MAX, InboundEvent, Pace};
pub use forward::NodeDirectory;
pub use frame::Frame;
pub use handshake::Handshake;
pub use listener::serve;
pub use node::{Parts, Transport, TransportError};
pub use origin::Origin;
pub use outbox::Sent;
pub use sid::{Entropy, node_tag};
pub use socket::Socket;
