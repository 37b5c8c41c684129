//! Who may do what: the one table that every door and every store asks.

use super::{ConversationKind, Role};

/// What needs a right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    /// See the conversation, its members, history and events.
    Read,
    /// Send a message.
    Send,
    /// Change title, picture, retention.
    Update,
    /// Add a member.
    AddMember,
    /// Remove somebody else who is a member; removing an admin or an owner needs what [`Act::SetRole`] needs.
    RemoveMember,
    /// Leave.
    Leave,
    /// Change a role.
    SetRole,
}

/// The least role that allows an act, by the kind of conversation; `None`: nobody may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    /// In a direct conversation.
    pub direct: Option<Role>,
    /// In a group.
    pub group: Option<Role>,
    /// In a channel.
    pub channel: Option<Role>,
}

impl Permission {
    /// What an act needs.
    #[must_use]
    pub const fn of(act: Act) -> Self {
        let (direct, group, channel) = match act {
            Act::Read => (Some(Role::Member), Some(Role::Member), Some(Role::Member)),
            Act::Send => (Some(Role::Member), Some(Role::Member), Some(Role::Admin)),
            Act::Update | Act::AddMember | Act::RemoveMember => (None, Some(Role::Admin), Some(Role::Admin)),
            Act::Leave => (Some(Role::Member), Some(Role::Member), Some(Role::Member)),
            Act::SetRole => (None, Some(Role::Owner), Some(Role::Owner)),
        };
        Self { direct, group, channel }
    }

    /// The same for one whose role does not matter: what nobody may, stays so.
    #[must_use]
    pub fn for_every_member(self) -> Self {
        let least = |role: Option<Role>| role.map(|_| Role::Member);
        Self { direct: least(self.direct), group: least(self.group), channel: least(self.channel) }
    }

    /// The least role in a conversation of this kind; `None`: nobody may.
    #[must_use]
    pub const fn least_role(self, kind: ConversationKind) -> Option<Role> {
        match kind {
            ConversationKind::Direct => self.direct,
            ConversationKind::Group => self.group,
            ConversationKind::Channel => self.channel,
        }
    }

    /// Whether a member with this role may.
    #[must_use]
    pub fn allows(self, kind: ConversationKind, role: Role) -> bool {
        self.least_role(kind).is_some_and(|least| role >= least)
    }
}
