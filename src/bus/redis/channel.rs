//! The names of topics on the server.

use uuid::Uuid;

use super::settings::Layout;
use crate::bus::Topic;
use crate::domain::{ConversationId, NodeId, UserId};

/// Version of the names: nodes that name topics differently do not hear each other, so a new one needs a release that speaks both.
const NAMES_VERSION: &str = "1";

/// How many groups a Redis Cluster spreads the topics over; each is subscribed by one command on the shard that owns it.
const GROUPS: u64 = 256;

/// Turns topics into channel names and back: `prefix:1:c:<uuid>`, `prefix:1:u:<user>`, `prefix:1:n:<node>`, `prefix:1:all`.
///
/// On a Redis Cluster the names carry a group in braces, `prefix:1:{17}:c:<uuid>`, which keeps a group on one shard.
#[derive(Debug, Clone)]
pub(super) struct ChannelNames {
    start: String,
    layout: Layout,
}

impl ChannelNames {
    pub fn new(prefix: &str, layout: Layout) -> Self {
        Self { start: format!("{prefix}:{NAMES_VERSION}:"), layout }
    }

    /// The channel of a topic.
    pub fn name(&self, topic: &Topic) -> String {
        let place = match topic {
            Topic::Conversation(id) => format!("c:{id}"),
            Topic::User(id) => format!("u:{id}"),
            Topic::Node(id) => format!("n:{id}"),
            Topic::All => "all".to_owned(),
        };
        match self.layout {
            Layout::OneServer => format!("{}{place}", self.start),
            Layout::Cluster => format!("{}{{{}}}:{place}", self.start, group(place.as_bytes())),
        }
    }

    /// The topic of a channel; `None` for names that this node did not make.
    pub fn topic(&self, channel: &str) -> Option<Topic> {
        let mut place = channel.strip_prefix(self.start.as_str())?;
        if self.layout == Layout::Cluster {
            place = place.strip_prefix('{')?.split_once("}:")?.1;
        }
        if place == "all" {
            return Some(Topic::All);
        }
        let (kind, id) = place.split_once(':')?;
        match kind {
            "c" => Uuid::try_parse(id).ok().map(|id| Topic::Conversation(ConversationId::from_uuid(id))),
            "u" => UserId::parse(id).ok().map(Topic::User),
            "n" => NodeId::parse(id).ok().map(Topic::Node),
            _ => None,
        }
    }

    /// Splits channels into commands: one on a single server, one per group on a cluster.
    pub fn commands(&self, channels: Vec<String>) -> Vec<Vec<String>> {
        match self.layout {
            Layout::OneServer => vec![channels],
            Layout::Cluster => {
                let mut groups = std::collections::BTreeMap::<String, Vec<String>>::new();
                for channel in channels {
                    let group = channel.split(['{', '}']).nth(1).unwrap_or_default().to_owned();
                    groups.entry(group).or_default().push(channel);
                }
                groups.into_values().collect()
            }
        }
    }

    pub const fn layout(&self) -> Layout {
        self.layout
    }
}

/// FNV-1a: the same on every node and in every version, which a hasher with random keys is not.
fn group(place: &[u8]) -> u64 {
    place.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
        % GROUPS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics() -> Vec<Topic> {
        let id = Uuid::parse_str("0192f0c1-2d3e-7a4b-8c5d-6e7f8091a2b3").unwrap();
        vec![
            Topic::Conversation(ConversationId::from_uuid(id)),
            Topic::User(UserId::parse("auth0|a:b.c@d-e_f").unwrap()),
            Topic::Node(NodeId::parse("node-1.eu").unwrap()),
            Topic::All,
        ]
    }

    #[test]
    fn every_topic_has_a_name_and_the_name_leads_back() {
        for layout in [Layout::OneServer, Layout::Cluster] {
            let names = ChannelNames::new("rookery", layout);
            for topic in topics() {
                assert_eq!(names.topic(&names.name(&topic)), Some(topic));
            }
        }
    }

    #[test]
    fn the_names_of_one_server_are_those_that_are_documented() {
        let names = ChannelNames::new("rookery", Layout::OneServer);
        let made: Vec<String> = topics().iter().map(|topic| names.name(topic)).collect();
        let expected = [
            "rookery:1:c:0192f0c1-2d3e-7a4b-8c5d-6e7f8091a2b3",
            "rookery:1:u:auth0|a:b.c@d-e_f",
            "rookery:1:n:node-1.eu",
            "rookery:1:all",
        ];
        assert_eq!(made, expected);
    }

    #[test]
    fn names_of_others_lead_nowhere() {
        let names = ChannelNames::new("rookery", Layout::OneServer);
        for foreign in ["", "rookery", "other:1:all", "rookery:2:all", "rookery:1:c:x", "rookery:1:u:", "rookery:1:z:1"]
        {
            assert_eq!(names.topic(foreign), None, "{foreign}");
        }
        assert_eq!(ChannelNames::new("rookery", Layout::Cluster).topic("rookery:1:all"), None);
    }

    #[test]
    fn a_cluster_gets_one_command_per_group() {
        let names = ChannelNames::new("rookery", Layout::Cluster);
        let channels: Vec<String> = topics().iter().map(|topic| names.name(topic)).collect();
        let commands = names.commands(channels.iter().chain(&channels).cloned().collect());
        assert_eq!(commands.iter().map(Vec::len).sum::<usize>(), 8);
        for command in commands {
            let group = |name: &str| name.split(['{', '}']).nth(1).map(str::to_owned);
            assert!(command.iter().all(|name| group(name) == group(&command[0])));
        }
    }
}
