//! The bearer keys of the server-to-server API.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{Digest, SHA256, digest};

use crate::config::Secret;

/// The keys that a trusted backend may present. Kept as digests.
#[derive(Clone)]
pub struct ServiceKeys(Vec<Digest>);

impl ServiceKeys {
    /// From the settings; none: nobody is a trusted backend.
    #[must_use]
    pub fn new(keys: &[Secret]) -> Self {
        Self(keys.iter().map(|key| digest(&SHA256, key.expose().as_bytes())).collect())
    }

    /// Whether this is one of the keys. Takes the same time for every wrong one.
    #[must_use]
    pub fn accept(&self, presented: &str) -> bool {
        let presented = digest(&SHA256, presented.as_bytes());
        self.0.iter().filter(|key| verify_slices_are_equal(key.as_ref(), presented.as_ref()).is_ok()).count() > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_configured_key_is_accepted() {
        let keys = ServiceKeys::new(&[Secret::new("old"), Secret::new("new")]);
        assert!(keys.accept("old") && keys.accept("new"));
        assert!(!keys.accept("") && !keys.accept("ol") && !keys.accept("OLD"));
        assert!(!ServiceKeys::new(&[]).accept(""));
    }
}
