//! Sends requests on to the node that owns their connection.

use std::sync::Arc;

use async_trait::async_trait;

use super::config::TransportConfig;

/// Knows where the other nodes of the cluster are. Implemented over the store's list of nodes.
#[async_trait]
pub trait NodeDirectory: Send + Sync + 'static {
    /// `host:port` of the live node with this tag. Must answer within a second or is not waited for.
    async fn address(&self, node_tag: &str) -> Option<String>;
}

/// See the file's first line.
pub(super) struct Forwarder {
    #[expect(dead_code, reason = "forwarding comes with the next commit")]
    directory: Arc<dyn NodeDirectory>,
}

impl Forwarder {
    pub(super) fn new(_config: &TransportConfig, directory: Arc<dyn NodeDirectory>) -> Self {
        Self { directory }
    }
}
