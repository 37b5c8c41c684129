//! Making a conversation: the rules of its kind, checked before the store is asked.

use std::collections::HashSet;

use crate::domain::{ChatError, ConversationDraft, ConversationKind, UserId};

/// Members of a conversation at its creation, without the owner.
const MEMBERS_MAX: usize = 1_000;

/// The draft with each member once and without its owner among them.
///
/// # Errors
/// `invalid` for too many members, and for a direct conversation that is not one of two people.
pub(super) fn checked(mut draft: ConversationDraft) -> Result<ConversationDraft, ChatError> {
    let mut seen: HashSet<UserId> = draft.owner.iter().cloned().collect();
    draft.members.retain(|member| seen.insert(member.clone()));
    if draft.members.len() > MEMBERS_MAX {
        return Err(ChatError::invalid("memberIds names more than 1000 users"));
    }
    match draft.kind {
        ConversationKind::Direct if seen.len() != 2 => {
            Err(ChatError::invalid("a direct conversation is one of two people: memberIds names the other one"))
        }
        ConversationKind::Direct => Ok(ConversationDraft { title: None, ..draft }),
        ConversationKind::Group | ConversationKind::Channel => Ok(draft),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ConversationId;

    fn draft(kind: ConversationKind, owner: Option<&str>, members: &[&str]) -> ConversationDraft {
        let user = |name: &str| UserId::parse(name).unwrap();
        ConversationDraft {
            id: ConversationId::from_uuid(uuid::Uuid::nil()),
            kind,
            title: None,
            owner: owner.map(user),
            members: members.iter().map(|name| user(name)).collect(),
            client_id: None,
        }
    }

    #[test]
    fn a_direct_conversation_takes_two_different_people() {
        let direct = |owner, members: &[&str]| checked(draft(ConversationKind::Direct, owner, members));
        assert_eq!(direct(Some("ann"), &["bob", "ann", "bob"]).unwrap().members.len(), 1);
        assert_eq!(direct(None, &["ann", "bob"]).unwrap().members.len(), 2);
        for bad in [&["ann"][..], &[], &["bob", "cid"]] {
            assert!(direct(Some("ann"), bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_group_takes_a_thousand_members_beside_its_owner_and_may_be_of_one() {
        let names: Vec<String> = (0..1_001).map(|number| format!("user{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert!(checked(draft(ConversationKind::Group, Some("ann"), &names[..1_000])).is_ok());
        assert!(checked(draft(ConversationKind::Group, Some("ann"), &names)).is_err());
        assert!(checked(draft(ConversationKind::Group, Some("ann"), &[])).is_ok());
    }
}
