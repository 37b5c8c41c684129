//! Conversations: made once, listed, paged through.

use std::collections::HashSet;

use rookery::domain::{ConversationDraft, ConversationId, ConversationKind, Role, Seq, UserId};
use rookery::store::{PageAsk, Store, StoreError, WriteAct};

use super::world::{World, append, client_id, created, draft, existing, first, texts, user};

pub async fn a_conversation_begins_with_its_members_and_an_empty_feed(world: World) {
    let [ann, bob] = world.users(["ann", "bob"]).await;
    for kind in [ConversationKind::Group, ConversationKind::Channel] {
        let asked = draft(kind, &[&ann, &bob]);
        let made = created(world.store.create_conversation(&asked).await.unwrap());
        assert_eq!((made.id, made.kind, made.head), (asked.id, kind, Seq::ZERO));
        assert_eq!(made.title.as_deref(), Some("first title"));
        assert_eq!(world.store.conversation(made.id).await.unwrap(), Some(made.clone()));
        let members = world.store.members(made.id, &first(10)).await.unwrap().items;
        let roles: Vec<_> = members.iter().map(|m| (m.user_id.as_str(), m.role, m.name.as_str())).collect();
        assert_eq!(roles, [("ann", Role::Owner, "ann name"), ("bob", Role::Member, "bob name")]);
        assert!(members.iter().all(|member| member.joined_at == made.created_at));
        assert!(world.feed(made.id).await.is_empty());
    }
}

pub async fn an_unknown_member_is_named_and_nothing_is_made(world: World) {
    let [ann] = world.users(["ann"]).await;
    for kind in [ConversationKind::Direct, ConversationKind::Group] {
        let asked = draft(kind, &[&ann, &user("no:body")]);
        match world.store.create_conversation(&asked).await {
            Err(StoreError::Refused(text)) => assert!(text.contains("no:body"), "{text}"),
            other => panic!("was to be refused: {other:?}"),
        }
        assert_eq!(world.store.conversation(asked.id).await.unwrap(), None);
    }
    assert!(world.store.conversations_of(&ann, &first(10)).await.unwrap().items.is_empty());
}

pub async fn a_direct_is_unique_also_when_both_make_it_at_once(world: World) {
    let [ann, bob] = world.users(["ann", "bob"]).await;
    let pairs = [[&ann, &bob], [&bob, &ann]].map(|pair| draft(ConversationKind::Direct, &pair));
    let neighbour = world.neighbour().await;
    let asks = (0..6).map(|n| {
        let asked = ConversationDraft { id: ConversationId::from_uuid(uuid::Uuid::now_v7()), ..pairs[n % 2].clone() };
        let store: &dyn Store = if n % 2 == 0 { &*world.store } else { &*neighbour };
        async move { store.create_conversation(&asked).await.unwrap() }
    });
    let made = futures_util::future::join_all(asks).await;
    let news = made.iter().filter(|change| matches!(change, rookery::domain::ConversationChange::Created(_))).count();
    assert_eq!(news, 1, "{made:?}");
    assert_eq!(world.store.conversations_of(&ann, &first(10)).await.unwrap().items.len(), 1);
    let again = existing(world.store.create_conversation(&pairs[0]).await.unwrap());
    assert_eq!(world.store.conversations_of(&bob, &first(10)).await.unwrap().items[0].conversation, again);
}

pub async fn nobody_owns_a_direct(world: World) {
    let [ann, bob] = world.users(["ann", "bob"]).await;
    let direct = world.conversation(ConversationKind::Direct, &[&ann, &bob]).await;
    for user in [&ann, &bob] {
        assert_eq!(world.role(direct, user).await, Some(Role::Member));
    }
}

pub async fn making_a_direct_again_brings_back_who_left(world: World) {
    let [ann, bob] = world.users(["ann", "bob"]).await;
    let direct = world.conversation(ConversationKind::Direct, &[&ann, &bob]).await;
    world.says(&ann, direct, "hi").await;
    for user in [&ann, &bob] {
        world.written(append(Some(user), direct, WriteAct::RemoveMember(user.clone()))).await;
    }
    let again = draft(ConversationKind::Direct, &[&bob, &ann]);
    for _ in 0..2 {
        assert_eq!(existing(world.store.create_conversation(&again).await.unwrap()).id, direct);
    }
    let feed = texts(&world.feed(direct).await);
    assert_eq!(feed, ["hi", "member.removed", "member.removed", "member.added", "member.added"]);
    world.says(&ann, direct, "back").await;
    assert_eq!(world.store.work_outbox(100).await.unwrap().len(), 6);
}

pub async fn a_repeated_creation_finds_the_first(world: World) {
    let [ann, bob] = world.users(["ann", "bob"]).await;
    let asked = |owner: &UserId, key: &str| ConversationDraft {
        client_id: Some(client_id(key)),
        ..draft(ConversationKind::Group, &[owner])
    };
    let made = created(world.store.create_conversation(&asked(&ann, "k")).await.unwrap());
    assert_eq!(existing(world.store.create_conversation(&asked(&ann, "k")).await.unwrap()), made);
    created(world.store.create_conversation(&asked(&ann, "other")).await.unwrap());
    created(world.store.create_conversation(&asked(&bob, "k")).await.unwrap());
}

pub async fn a_given_id_is_made_once(world: World) {
    let [ann, bob] = world.users(["ann", "bob"]).await;
    let asked = ConversationDraft { owner: None, members: vec![ann], ..draft(ConversationKind::Group, &[&bob]) };
    let made = created(world.store.create_conversation(&asked).await.unwrap());
    assert_eq!(existing(world.store.create_conversation(&asked).await.unwrap()), made);
    assert_eq!(world.store.members(made.id, &first(10)).await.unwrap().items[0].role, Role::Member);
}

pub async fn the_list_shows_the_most_recently_active_first_and_pages_through(world: World) {
    let [ann, bob] = world.users(["ann", "bob"]).await;
    let mut expected = Vec::new();
    for n in 0..7 {
        let group = world.group(&[&ann, &bob]).await;
        world.says(&bob, group, &format!("hello {n}")).await;
        expected.insert(0, group);
        world.tick().await;
    }
    // The oldest becomes the most recent; one that is not ann's is not in ann's list.
    world.says(&ann, expected[6], "again").await;
    expected.rotate_right(1);
    world.group(&[&bob]).await;
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let page = world.store.conversations_of(&ann, &PageAsk { cursor, limit: 3 }).await.unwrap();
        assert!(page.items.len() == 3 || page.next_cursor.is_none());
        found.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(found.iter().map(|view| view.conversation.id).collect::<Vec<_>>(), expected);
    let newest = found[0].last_message.as_ref().unwrap();
    assert_eq!((newest.seq, newest.sender_id.as_str()), (found[0].conversation.head, "ann"));
    for view in found {
        let alone = world.store.conversation_view(view.conversation.id, &ann).await.unwrap();
        assert_eq!(alone, Some(view));
    }
    let [eve] = world.users(["eve"]).await;
    assert_eq!(world.store.conversation_view(expected[0], &eve).await.unwrap(), None);
}

pub async fn ids_come_in_order_and_page_through(world: World) {
    let [ann] = world.users(["ann"]).await;
    let mut expected = Vec::new();
    for _ in 0..5 {
        expected.push(world.group(&[&ann]).await);
    }
    expected.sort_unstable();
    let page = async |after| world.store.conversation_ids_of(&ann, after, 2).await.unwrap();
    let (one, two) = (page(None).await, page(Some(expected[1])).await);
    let three = page(Some(expected[3])).await;
    assert_eq!([one, two, three].concat(), expected);
    assert!(page(Some(expected[4])).await.is_empty());
}

pub async fn members_page_in_order_of_joining(world: World) {
    let [ann, zoe, abe] = world.users(["ann", "zoe", "abe"]).await;
    let group = world.group(&[&ann]).await;
    for user in [&zoe, &abe] {
        let add = WriteAct::AddMember(user.clone(), Role::Member);
        world.written(append(Some(&ann), group, add)).await;
    }
    let page = world.store.members(group, &first(2)).await.unwrap();
    let rest = world.store.members(group, &PageAsk { cursor: page.next_cursor, limit: 2 }).await.unwrap();
    let users: Vec<_> = page.items.iter().chain(&rest.items).map(|member| member.user_id.as_str()).collect();
    assert_eq!(users, ["ann", "zoe", "abe"]);
    assert_eq!(rest.next_cursor, None);
}

pub async fn a_malformed_cursor_is_refused(world: World) {
    let [ann] = world.users(["ann"]).await;
    let group = world.group(&[&ann]).await;
    let mut refusals = HashSet::new();
    for cursor in ["", "x", "1", ".", "1.\0", "' OR 1=1 --", "99999999999999999999.a"] {
        let ask = PageAsk { cursor: Some(cursor.into()), limit: 10 };
        for error in [
            world.store.conversations_of(&ann, &ask).await.unwrap_err(),
            world.store.members(group, &ask).await.map(|_| ()).unwrap_err(),
        ] {
            refusals.insert(error.to_string());
        }
    }
    assert_eq!(refusals.into_iter().collect::<Vec<_>>(), ["store refused: cursor is not valid"]);
}
