//! The secrets that a node works with: those that are set, and those that follow from them.

use anyhow::Context;
use aws_lc_rs::rand::SecureRandom;

use super::Failure;
use crate::auth::{cluster_key, random_secret, read_or_create_secret};
use crate::config::{Secret, Settings};

/// See the file's first line.
pub(super) struct Secrets {
    /// Verifies and makes tokens.
    pub hs256: Secret,
    /// Authenticates nodes to each other.
    pub cluster: Secret,
}

impl Secrets {
    /// Those of these settings. An embedded store without a secret gets one beside its file.
    pub(super) fn of(settings: &Settings, random: &dyn SecureRandom) -> Result<Self, Failure> {
        let hs256 = match (&settings.auth.hs256_secret, settings.store.url.folder()) {
            (Some(secret), _) => secret.clone(),
            (None, Some(folder)) => read_or_create_secret(&folder, random)
                .with_context(|| format!("auth.hs256_secret is not set and {} cannot keep one", folder.display()))?,
            // A store that is gone with the process needs no secret that outlives it.
            (None, None) => random_secret(random).context("auth.hs256_secret")?,
        };
        let cluster = settings.server.cluster_secret.clone().unwrap_or_else(|| cluster_key(&hs256));
        Ok(Self { hs256, cluster })
    }
}
