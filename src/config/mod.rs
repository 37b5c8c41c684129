//! The settings: one file per section, read once at start, from then on only passed along.

mod auth;
mod backends;
mod check;
mod error;
mod gateway;
mod layers;
mod limits;
mod log;
mod secret;
mod server;
mod text;

use serde::{Deserialize, Serialize};

pub use auth::{AuthSettings, TokenPlace};
pub use backends::{BusSettings, BusUrl, StoreKind, StoreSettings, StoreUrl};
pub use error::SettingsError;
pub use gateway::{GatewaySettings, Origin};
pub use layers::Sources;
pub use limits::LimitSettings;
pub use log::{LogFormat, LogSettings};
pub use secret::Secret;
pub use server::{Advertise, ServerSettings};

/// Everything that can be set. Printed by `rookery config`, with secrets masked.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Listeners, names and the end of the process.
    pub server: ServerSettings,
    /// Where the durable truth is.
    pub store: StoreSettings,
    /// What carries news between nodes.
    pub bus: BusSettings,
    /// Who may come in.
    pub auth: AuthSettings,
    /// How sockets are spoken to.
    pub gateway: GatewaySettings,
    /// How much is too much.
    pub limits: LimitSettings,
    /// What is written to the log.
    pub log: LogSettings,
}

impl Settings {
    /// Reads all layers, later over earlier, and checks each key and how they fit together.
    ///
    /// # Errors
    /// One line that names the key, where it was set, and why it cannot be so.
    pub fn load(sources: &Sources) -> Result<Self, SettingsError> {
        let settings = layers::merge(sources)?;
        check::check(&settings)?;
        Ok(settings)
    }

    /// What is in effect, as TOML: every key, secrets masked.
    ///
    /// # Errors
    /// Never for settings that were loaded.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        let mut shown = self.clone();
        shown.server.advertise = shown.server.advertised();
        toml::to_string_pretty(&shown)
    }
}
