//! Connection ids that name the node which owns them: `tag.random.mac`.
//!
//! A long-polling request or an upgrade may reach any node; the tag says where to send it. The mac, under the cluster
//! secret, keeps a forged tag from making nodes talk to each other.

use std::sync::Arc;

use aws_lc_rs::{constant_time, digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Fills a buffer with random bytes that nobody can guess.
pub type Entropy = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// The random part of a sid: 96 bits, the key by which the owner finds the connection.
pub(super) type SidKey = [u8; 12];

const RANDOM_CHARS: usize = 16;
const MAC_BYTES: usize = 9;
const TAG_CHARS_MAX: usize = 16;

/// Makes and checks the sids of one cluster.
pub(super) struct Sids {
    tag: Box<str>,
    key: hmac::Key,
    entropy: Entropy,
}

/// What a valid sid says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ParsedSid<'a> {
    /// The tag of the owning node.
    pub tag: &'a str,
    /// The connection at its owner.
    pub key: SidKey,
}

/// The short stable name of a node for its sids: the first 48 bits of the hash of its id.
pub fn node_tag(node_id: &str) -> String {
    let hash = digest::digest(&digest::SHA256, node_id.as_bytes());
    URL_SAFE_NO_PAD.encode(&hash.as_ref()[..6])
}

/// True for a tag that can stand in a sid.
pub(super) fn is_tag(tag: &str) -> bool {
    (1..=TAG_CHARS_MAX).contains(&tag.len())
        && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

impl Sids {
    pub(super) fn new(tag: &str, cluster_secret: &[u8], entropy: Entropy) -> Self {
        Self { tag: tag.into(), key: hmac::Key::new(hmac::HMAC_SHA256, cluster_secret), entropy }
    }

    /// A key for a new connection.
    pub(super) fn random_key(&self) -> SidKey {
        let mut key = SidKey::default();
        (self.entropy)(&mut key);
        key
    }

    /// The public id of a socket inside a connection. Not the sid: whoever knows that can read the connection.
    pub(super) fn socket_id(&self) -> [u8; 20] {
        let (mut random, mut id) = ([0_u8; 15], [0_u8; 20]);
        (self.entropy)(&mut random);
        URL_SAFE_NO_PAD.encode_slice(random, &mut id).expect("15 bytes are 20 characters");
        id
    }

    /// The sid of a connection of this node.
    pub(super) fn render(&self, key: &SidKey) -> String {
        let named = format!("{}.{}", self.tag, URL_SAFE_NO_PAD.encode(key));
        let mac = self.mac(&named);
        format!("{named}.{mac}")
    }

    /// Reads a sid; `None` unless this cluster made it.
    pub(super) fn parse<'a>(&self, sid: &'a str) -> Option<ParsedSid<'a>> {
        let (named, mac) = sid.rsplit_once('.')?;
        let (tag, random) = named.split_once('.')?;
        if !is_tag(tag) || random.len() != RANDOM_CHARS {
            return None;
        }
        constant_time::verify_slices_are_equal(self.mac(named).as_bytes(), mac.as_bytes()).ok()?;
        let mut key = SidKey::default();
        let decoded = URL_SAFE_NO_PAD.decode_slice(random, &mut key).ok()?;
        (decoded == key.len()).then_some(ParsedSid { tag, key })
    }

    /// True when the sid is of this node.
    pub(super) fn is_ours(&self, sid: &ParsedSid<'_>) -> bool {
        sid.tag == &*self.tag
    }

    fn mac(&self, named: &str) -> String {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(b"sid:");
        context.update(named.as_bytes());
        URL_SAFE_NO_PAD.encode(&context.sign().as_ref()[..MAC_BYTES])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sids(tag: &str, secret: &[u8]) -> Sids {
        Sids::new(tag, secret, Arc::new(|bytes: &mut [u8]| bytes.fill(7)))
    }

    #[test]
    fn every_node_of_the_cluster_reads_a_sid_and_only_its_owner_calls_it_own() {
        let (a, b) = (sids(&node_tag("a"), b"secret"), sids(&node_tag("b"), b"secret"));
        let sid = a.render(&a.random_key());
        let (seen_by_a, seen_by_b) = (a.parse(&sid).unwrap(), b.parse(&sid).unwrap());
        assert_eq!(seen_by_a, seen_by_b);
        assert_eq!(seen_by_a.key, [7; 12]);
        assert!(a.is_ours(&seen_by_a) && !b.is_ours(&seen_by_b));
        assert!(sid.len() <= 48 && sid.bytes().all(|byte| byte.is_ascii_graphic()));
    }

    #[test]
    fn a_sid_that_was_changed_or_made_elsewhere_is_not_read() {
        let ours = sids("node", b"secret");
        let sid = ours.render(&ours.random_key());
        assert!(sids("node", b"other").parse(&sid).is_none());
        assert!(ours.parse(&sid.replace("node", "edon")).is_none());
        for at in 0..sid.len() {
            let mut bytes = sid.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            assert!(ours.parse(&String::from_utf8(bytes).unwrap()).is_none(), "byte {at}");
        }
        for wrong in ["", ".", "..", "a.b.c", "node", &sid[..sid.len() - 1], &format!("{sid}.x")] {
            assert!(ours.parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_tag_is_short_and_safe_in_a_query_string() {
        assert!(is_tag(&node_tag("any node id ✓")));
        for wrong in ["", "a.b", "a b", "seventeen-letters"] {
            assert!(!is_tag(wrong), "{wrong}");
        }
    }
}
