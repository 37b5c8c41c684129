//! The one family of cryptography of the process, and the keys that are derived from other keys.

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};

use crate::config::Secret;

/// Cryptography that does not work: the process must not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cryptography: {0}")]
pub struct CryptoError(pub &'static str);

/// Chooses aws-lc for TLS and for tokens, and sees that signing works. Once, at the start of the process: without it both libraries panic at first use
/// as soon as a dependency turns on a second family.
///
/// # Errors
/// When another family was chosen before, or a signature does not verify.
pub fn install_crypto() -> Result<(), CryptoError> {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| CryptoError("a TLS provider was installed before"))?;
    jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER
        .install_default()
        .map_err(|_| CryptoError("a token provider was installed before"))?;
    self_test()
}

fn self_test() -> Result<(), CryptoError> {
    let (message, key) = (b"rookery".as_slice(), b"self-test".as_slice());
    let signature = jsonwebtoken::crypto::sign(message, &EncodingKey::from_secret(key), Algorithm::HS256)
        .map_err(|_| CryptoError("tokens cannot be signed"))?;
    match jsonwebtoken::crypto::verify(&signature, message, &DecodingKey::from_secret(key), Algorithm::HS256) {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(CryptoError("a signature made here does not verify here")),
    }
}

/// What nodes authenticate each other with, where none was configured: derived from the secret that all nodes share, so that knowing the one does not
/// help to forge the other.
#[must_use]
pub fn cluster_key(hs256_secret: &Secret) -> Secret {
    struct KeyBytes;
    impl KeyType for KeyBytes {
        fn len(&self) -> usize {
            32
        }
    }
    let pseudo_random = Salt::new(HKDF_SHA256, b"rookery").extract(hs256_secret.expose().as_bytes());
    let mut key = [0_u8; 32];
    pseudo_random
        .expand(&[b"cluster secret v1"], KeyBytes)
        .and_then(|output| output.fill(&mut key))
        .expect("32 bytes are less than HKDF-SHA256 can give");
    Secret::new(base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cluster_key_follows_from_the_secret_and_does_not_show_it() {
        let (one, other) = (Secret::new("a".repeat(32)), Secret::new("b".repeat(32)));
        assert_eq!(cluster_key(&one), cluster_key(&one));
        assert_ne!(cluster_key(&one), cluster_key(&other));
        assert_eq!(cluster_key(&one).expose().len(), 43);
    }

    #[test]
    fn signing_works_here() {
        self_test().unwrap();
    }
}
