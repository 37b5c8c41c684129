//! Who somebody is: what a token says, whether to believe it, and how to make one.

mod claims;
mod crypto;
mod issuer;
mod keyfile;
mod places;
mod service;
mod verifier;

pub use claims::{ClaimRules, Identity};
pub use crypto::{CryptoError, cluster_key, install_crypto};
pub use issuer::{Issuer, MintError};
pub use keyfile::{random_secret, read_or_create_secret};
pub use places::{OriginVerdict, TokenPlaces, bearer};
pub use service::ServiceKeys;
pub use verifier::{TOKEN_BYTES_MAX, TokenRefused, Verifier};
