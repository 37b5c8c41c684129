//! What nodes publish to hear whether they hear each other.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::NodeId;

/// How a probe begins: whatever else is published on the common topic does not.
const START: &[u8] = b"{\"probe\":";

/// A sign of life on the common topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Probe {
    /// Who speaks.
    pub node: NodeId,
    /// Which process of that name: two with one name are a mistake worth a warning, and neither is fooled by the other.
    pub instance: Uuid,
    /// The program's version, for the log of a mixed cluster.
    pub version: String,
}

#[derive(Serialize, Deserialize)]
struct Wrapped<P> {
    probe: P,
}

impl Probe {
    pub fn encode(&self) -> Bytes {
        serde_json::to_vec(&Wrapped { probe: self }).map(Bytes::from).unwrap_or_default()
    }

    /// `None` for what is no probe, or one that this version cannot read.
    pub fn decode(message: &[u8]) -> Option<Self> {
        if !Self::is_probe(message) {
            return None;
        }
        serde_json::from_slice::<Wrapped<Self>>(message).ok().map(|wrapped| wrapped.probe)
    }

    pub fn is_probe(message: &[u8]) -> bool {
        message.starts_with(START)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_is_told_from_everything_else_on_the_common_topic() {
        let node = NodeId::parse("n1").unwrap();
        let probe = Probe { node, instance: Uuid::from_u128(7), version: "0.1.0".into() };
        assert_eq!(Probe::decode(&probe.encode()), Some(probe));
        for other in
            [&b""[..], b"{}", b"{\"version\":1}", b"{\"probe\":", b"{\"probe\":{\"node\":\"a b\"}}", b"\xff\xfe"]
        {
            assert_eq!(Probe::decode(other), None);
        }
    }

    #[test]
    fn a_later_probe_may_say_more() {
        let later =
            br#"{"probe":{"node":"n1","instance":"00000000-0000-0000-0000-000000000007","version":"9","load":3}}"#;
        assert_eq!(Probe::decode(later).unwrap().version, "9");
    }
}
