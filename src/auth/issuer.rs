//! Makes tokens that this cluster believes.

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Map, Value};

use crate::config::{AuthSettings, Secret};
use crate::domain::{Clock, UserId};

/// Why no token was made.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// It would end after the year 9999.
    #[error("the token would live too long")]
    TooLong,
    /// It could not be signed.
    #[error("the token could not be signed: {0}")]
    Signing(#[from] jsonwebtoken::errors::Error),
}

/// Makes access tokens with the configured secret, issuer and audience.
pub struct Issuer {
    key: EncodingKey,
    user_claim: String,
    fixed: Map<String, Value>,
    clock: Arc<dyn Clock>,
}

impl Issuer {
    /// For tokens that a [`super::Verifier`] with the same settings believes.
    #[must_use]
    pub fn new(secret: &Secret, settings: &AuthSettings, clock: Arc<dyn Clock>) -> Self {
        let parties = [("iss", &settings.issuer), ("aud", &settings.audience)];
        let fixed =
            parties.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::from(value.clone()?))));
        Self {
            key: EncodingKey::from_secret(secret.expose().as_bytes()),
            user_claim: settings.user_claim.first().cloned().unwrap_or_else(|| "sub".into()),
            fixed: fixed.collect(),
            clock,
        }
    }

    /// A token for this user that lives from now on for `ttl`, in whole seconds.
    ///
    /// # Errors
    /// When it would live too long, or cannot be signed.
    pub fn mint(&self, user: &UserId, name: Option<&str>, ttl: Duration) -> Result<String, MintError> {
        let now = self.clock.now().unix_ms() / 1_000;
        let end = i64::try_from(ttl.as_secs()).ok().and_then(|ttl| now.checked_add(ttl));
        let end = end.filter(|end| *end <= 253_402_300_799).ok_or(MintError::TooLong)?;
        let mut claims = self.fixed.clone();
        claims.insert(self.user_claim.clone(), user.as_str().into());
        claims.insert("iat".into(), now.into());
        claims.insert("exp".into(), end.into());
        if let Some(name) = name {
            claims.insert("name".into(), name.into());
        }
        Ok(jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.key)?)
    }
}
