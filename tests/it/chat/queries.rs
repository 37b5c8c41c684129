//! Whoever is no member reads nothing, and is told the same as of what is not there.

use rookery::domain::{ErrorCode, Seq};
use rookery::store::PageAsk;

use super::scene::{Scene, code, user};

#[tokio::test]
async fn members_read_all_of_it_and_others_none() {
    let scene = Scene::new().await;
    let room = scene.room("ann", &["bob"]).await;
    let message = scene.says("ann", room, "hi").await.unwrap().message;
    let (bob, dan, page) = (user("bob"), user("dan"), PageAsk { cursor: None, limit: 10 });
    let chat = &scene.chat;
    assert_eq!(chat.conversation(&bob, room).await.unwrap().unread_count, 1);
    let only = std::slice::from_ref(&message);
    assert_eq!(chat.messages_before(&bob, room, None, 10).await.unwrap(), only);
    assert_eq!(chat.messages_after(&bob, room, Seq::ZERO, 10).await.unwrap(), only);
    assert_eq!(chat.message(&bob, message.id).await.unwrap(), message);
    assert_eq!(chat.events(&bob, room, Seq::ZERO, 10).await.unwrap().events.len(), 1);
    assert_eq!(chat.members(&bob, room, &page).await.unwrap().items.len(), 2);
    assert_eq!(chat.watermarks(&bob, room, 10).await.unwrap().len(), 2);
    assert_eq!(chat.conversations_of(&bob, &page).await.unwrap().items.len(), 1);
    for nowhere in [room, chat.new_conversation_id()] {
        assert_eq!(code(chat.role_of(&dan, nowhere).await), ErrorCode::NotFound);
        assert_eq!(code(chat.conversation(&dan, nowhere).await), ErrorCode::NotFound);
        assert_eq!(code(chat.messages_before(&dan, nowhere, None, 10).await), ErrorCode::NotFound);
        assert_eq!(code(chat.messages_after(&dan, nowhere, Seq::ZERO, 10).await), ErrorCode::NotFound);
        assert_eq!(code(chat.events(&dan, nowhere, Seq::ZERO, 10).await), ErrorCode::NotFound);
        assert_eq!(code(chat.members(&dan, nowhere, &page).await), ErrorCode::NotFound);
        assert_eq!(code(chat.roster(&dan, nowhere).await), ErrorCode::NotFound);
        assert_eq!(code(chat.watermarks(&dan, nowhere, 10).await), ErrorCode::NotFound);
    }
    assert_eq!(code(chat.message(&dan, message.id).await), ErrorCode::NotFound);
    assert!(chat.conversations_of(&dan, &page).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn a_cursor_that_no_list_gave_out_is_invalid() {
    let scene = Scene::new().await;
    let room = scene.room("ann", &[]).await;
    for cursor in ["", "x", "🦀", "AAAA", "' OR 1=1 --"] {
        let page = PageAsk { cursor: Some(cursor.into()), limit: 10 };
        assert_eq!(code(scene.chat.members(&user("ann"), room, &page).await), ErrorCode::Invalid, "{cursor}");
        assert_eq!(code(scene.chat.conversations_of(&user("ann"), &page).await), ErrorCode::Invalid, "{cursor}");
    }
}
