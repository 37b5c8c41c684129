//! Whether the settings fit together: each rule names the key to change.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use super::{Settings, SettingsError, StoreKind};

/// The least length of a secret that guards more than this machine, in bytes: the size of the hash it keys.
const SECRET_BYTES_MIN: usize = 32;

/// Refuses what cannot work or would be dangerous.
pub(super) fn check(settings: &Settings) -> Result<(), SettingsError> {
    ranges(settings)?;
    secrets(settings)?;
    addresses(settings)?;
    if settings.auth.user_claim.is_empty() {
        return Err(SettingsError::new("auth.user_claim", "at least one claim must name the user"));
    }
    if !is_plain(&settings.bus.prefix, b"._:-") {
        return Err(SettingsError::new("bus.prefix", "must be 1-64 characters of A-Z a-z 0-9 . _ : -"));
    }
    if settings.server.node_id.as_deref().is_some_and(|name| !is_plain(name, b"._-")) {
        return Err(SettingsError::new("server.node_id", "must be 1-64 characters of A-Z a-z 0-9 . _ -"));
    }
    Ok(())
}

fn is_plain(text: &str, more: &[u8]) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || more.contains(&b);
    (1..=64).contains(&text.len()) && text.bytes().all(plain)
}

fn ranges(settings: &Settings) -> Result<(), SettingsError> {
    let Settings { server, store, auth, gateway, limits, .. } = settings;
    within("server.worker_threads", server.worker_threads as u64, 0..=512)?;
    within("server.drain_ms", server.drain_ms, 0..=3_600_000)?;
    within("server.shutdown_ms", server.shutdown_ms, server.drain_ms + 1..=7_200_000)?;
    within("store.connections", store.connections.into(), 2..=500)?;
    within("auth.leeway_ms", auth.leeway_ms, 0..=600_000)?;
    within("auth.expiring_before_ms", auth.expiring_before_ms, 0..=86_400_000)?;
    within("gateway.ping_interval_ms", gateway.ping_interval_ms, 100..=3_600_000)?;
    within("gateway.ping_timeout_ms", gateway.ping_timeout_ms, 100..=3_600_000)?;
    within("gateway.connect_timeout_ms", gateway.connect_timeout_ms, 100..=600_000)?;
    within("limits.messages_per_10s", limits.messages_per_10s.into(), 1..=1_000_000)?;
    within("limits.commands_per_10s", limits.commands_per_10s.into(), 1..=1_000_000)?;
    within("limits.frames_per_s", limits.frames_per_s.into(), 1..=1_000_000)?;
    within("limits.frame_bytes", limits.frame_bytes.into(), 1_024..=16_777_216)?;
    within("limits.message_bytes", limits.message_bytes.into(), 1..=limits.frame_bytes.into())
}

fn within(key: &str, value: u64, range: RangeInclusive<u64>) -> Result<(), SettingsError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(SettingsError::new(key, format!("must be {} to {}", range.start(), range.end())))
}

fn secrets(settings: &Settings) -> Result<(), SettingsError> {
    let key = "auth.hs256_secret";
    let shared = settings.store.url.kind() == StoreKind::Shared;
    match &settings.auth.hs256_secret {
        None if shared => {
            return Err(SettingsError::new(
                key,
                "is required with Postgres: ≥ 32 random bytes, the same on every node",
            ));
        }
        Some(secret)
            if secret.expose().len() < SECRET_BYTES_MIN && (shared || !settings.server.listen.ip().is_loopback()) =>
        {
            return Err(SettingsError::new(key, "must be ≥ 32 bytes: shorter ones can be guessed"));
        }
        Some(_) | None => {}
    }
    match &settings.server.cluster_secret {
        Some(secret) if secret.expose().len() < SECRET_BYTES_MIN => {
            Err(SettingsError::new("server.cluster_secret", "must be ≥ 32 bytes: shorter ones can be guessed"))
        }
        Some(_) | None => Ok(()),
    }
}

fn addresses(settings: &Settings) -> Result<(), SettingsError> {
    let listen = settings.server.listen;
    let shared = settings.store.url.kind() == StoreKind::Shared;
    if shared && settings.server.advertise.is_none() && listen.ip().is_unspecified() {
        let reason = format!("is required, because other nodes cannot reach this one at {listen}: set host:port");
        return Err(SettingsError::new("server.advertise", reason));
    }
    if settings.auth.allow_query_user && !is_private(listen.ip()) {
        let reason = format!("would let anybody in as anybody on the public address {listen}");
        return Err(SettingsError::new("auth.allow_query_user", reason));
    }
    if listen == settings.server.admin_listen && listen.port() != 0 {
        return Err(SettingsError::new("server.admin_listen", "must differ from server.listen"));
    }
    Ok(())
}

/// Whether nobody outside the own network can reach it.
const fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local(),
    }
}
