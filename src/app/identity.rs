//! Who this node is.

use aws_lc_rs::rand::SecureRandom;

use super::Failure;
use crate::config::{Settings, SettingsError};
use crate::domain::NodeId;

/// The configured name of this node, or one that no other node has.
pub(super) fn node_id(settings: &Settings, random: &dyn SecureRandom) -> Result<NodeId, Failure> {
    match &settings.server.node_id {
        Some(name) => Ok(NodeId::parse(name).map_err(|error| SettingsError::new("server.node_id", error.to_string()))?),
        None => random_node_id(random),
    }
}

fn random_node_id(random: &dyn SecureRandom) -> Result<NodeId, Failure> {
    let mut bytes = [0_u8; 6];
    random.fill(&mut bytes).map_err(|_| anyhow::anyhow!("the system gives no random bytes"))?;
    let name: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(NodeId::parse(&format!("node-{name}")).map_err(anyhow::Error::from)?)
}
