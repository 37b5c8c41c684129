//! Whether to believe a token.
//!
//! Keys are data, not implementations: an algorithm and what it verifies with, fixed together. The shared secret is one; an outside issuer's public
//! keys will be more of them. So there is no trait here, and the doors know this one type.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::claims::{ClaimRules, Claims, Identity};
use crate::config::Secret;
use crate::domain::{ChatError, Clock, ErrorCode};

/// A longer token is refused before anything is computed.
pub const TOKEN_BYTES_MAX: usize = 4_096;

/// Why a token is not believed; fit to be shown to whoever sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefused {
    /// More than [`TOKEN_BYTES_MAX`].
    #[error("the token is longer than 4096 bytes")]
    TooLong,
    /// Not three parts of base64url, or no JSON in them.
    #[error("the token is malformed")]
    Malformed,
    /// Its algorithm is none that a key here is for, or its header asks for more than a signature.
    #[error("the token's header is not acceptable")]
    Header,
    /// No key here has signed it.
    #[error("the token's signature does not match")]
    Signature,
    /// It ended.
    #[error("the token has expired")]
    Expired,
    /// It starts later.
    #[error("the token is not valid yet")]
    NotYet,
    /// A claim is missing or wrong.
    #[error("the token's claims are not acceptable: {0}")]
    Claim(&'static str),
}

impl From<TokenRefused> for ChatError {
    fn from(refused: TokenRefused) -> Self {
        Self::new(ErrorCode::Unauthorized, refused.to_string())
    }
}

/// A key, and the only algorithm that it is for.
struct TrustedKey {
    algorithm: Algorithm,
    /// The algorithm as a token's header must name it.
    name: &'static str,
    key: DecodingKey,
}

/// Believes tokens that one of its keys has signed. Cheap to ask: refusals cost no cryptography until length, shape and algorithm fit.
pub struct Verifier {
    keys: Vec<TrustedKey>,
    rules: ClaimRules,
    clock: Arc<dyn Clock>,
}

impl Verifier {
    /// Believes tokens signed with this shared secret.
    #[must_use]
    pub fn with_secret(secret: &Secret, rules: ClaimRules, clock: Arc<dyn Clock>) -> Self {
        let key = DecodingKey::from_secret(secret.expose().as_bytes());
        Self { keys: vec![TrustedKey { algorithm: Algorithm::HS256, name: "HS256", key }], rules, clock }
    }

    /// Who the token speaks for.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn verify(&self, token: &str) -> Result<Identity, TokenRefused> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenRefused::TooLong);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(TokenRefused::Malformed)?;
        let (header, claims) = message.split_once('.').ok_or(TokenRefused::Malformed)?;
        self.check_signature(&decode::<Header>(header)?, message, signature)?;
        self.rules.judge(&decode::<Claims>(claims)?, self.clock.now())
    }

    fn check_signature(&self, header: &Header, message: &str, signature: &str) -> Result<(), TokenRefused> {
        if header.crit.is_some() || !header.kid.as_deref().is_none_or(is_plain_key_id) {
            return Err(TokenRefused::Header);
        }
        let mut candidates = self.keys.iter().filter(|key| key.name == header.alg).peekable();
        if candidates.peek().is_none() {
            return Err(TokenRefused::Header);
        }
        let signed = |key: &TrustedKey| {
            jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key.key, key.algorithm) == Ok(true)
        };
        if candidates.any(signed) { Ok(()) } else { Err(TokenRefused::Signature) }
    }
}

/// What is looked at in a token's header. `jku`, `jwk`, `x5u` and the like name keys that the sender chose: they are not read.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Extensions that a reader must understand: none is understood here.
    crit: Option<IgnoredAny>,
}

/// Key ids are names, never paths, queries or URLs.
fn is_plain_key_id(kid: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._:=+-".contains(&b);
    !kid.is_empty() && kid.len() <= 128 && kid.bytes().all(plain)
}

fn decode<T: for<'de> Deserialize<'de>>(part: &str) -> Result<T, TokenRefused> {
    let json = BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenRefused::Malformed)?;
    serde_json::from_slice(&json).map_err(|_| TokenRefused::Malformed)
}

#[cfg(test)]
mod tests;
