//! What the gateway was told to do.

use crate::auth::TokenPlaces;
use crate::config::Settings;
use crate::protocol::{SessionLimits, Slot, by_name};

/// A setting that names a vocabulary which does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("gateway.dialect: {0:?} is no dialect")]
pub struct UnknownDialect(String);

/// What the gateway was told to do.
#[derive(Debug, Clone)]
pub struct GatewayOptions {
    /// The vocabulary of sockets that neither name nor reveal one.
    pub dialect: Slot,
    /// Where a token may be besides the `auth` object.
    pub token_places: TokenPlaces,
    /// How long before its token's end a session is told, in milliseconds.
    pub expiring_before_ms: i64,
    /// Sessions that one user may have on this node; none: any number.
    pub sessions_per_user: Option<usize>,
    /// What clients are told.
    pub limits: SessionLimits,
}

impl GatewayOptions {
    /// From the settings.
    ///
    /// # Errors
    /// When `gateway.dialect` names none.
    pub fn new(settings: &Settings) -> Result<Self, UnknownDialect> {
        let (gateway, auth, limits) = (&settings.gateway, &settings.auth, &settings.limits);
        let dialect = by_name(&gateway.dialect).ok_or_else(|| UnknownDialect(gateway.dialect.clone()))?;
        let is_capped = limits.enabled && limits.sessions_per_user > 0;
        Ok(Self {
            dialect,
            token_places: TokenPlaces::new(auth.extra_token_places.clone()),
            expiring_before_ms: i64::try_from(auth.expiring_before_ms).unwrap_or(i64::MAX),
            sessions_per_user: is_capped.then_some(limits.sessions_per_user as usize),
            limits: SessionLimits {
                message_bytes: limits.message_bytes.into(),
                attachment_bytes: limits.attachment_bytes,
                messages_per_10s: limits.messages_per_10s,
            },
        })
    }
}
