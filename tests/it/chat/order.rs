//! Commands of one session are carried out in the order they were submitted.

use futures_util::future::join_all;
use rookery::domain::ErrorCode;

use super::scene::{Scene, code};

#[tokio::test]
async fn sixty_four_sends_in_flight_are_written_told_and_answered_in_the_order_of_their_submission() {
    Scene::on_every_store(async |scene| {
        let rooms =
            [scene.room("ann", &["bob"]).await, scene.room("ann", &["bob"]).await, scene.room("ann", &[]).await];
        for round in 0..5 {
            let mut answers = Vec::new();
            for number in 0..64 {
                answers.push(scene.says("ann", rooms[number % 3], &format!("{round}-{number:02}")));
            }
            // Whoever polls them in another order changes nothing.
            answers.reverse();
            assert!(join_all(answers).await.iter().all(Result::is_ok));
        }
        for (place, room) in rooms.into_iter().enumerate() {
            let expected: Vec<String> = (0..5)
                .flat_map(|round| (0..64).map(move |number| (round, number)))
                .filter(|(_, number)| number % 3 == place)
                .map(|(round, number)| format!("{round}-{number:02}"))
                .collect();
            assert_eq!(scene.written(room).await, expected);
            let seqs: Vec<u64> = (1..=u64::try_from(expected.len()).unwrap()).collect();
            assert_eq!(scene.ear.seqs(room), seqs);
        }
    })
    .await;
}

#[tokio::test]
async fn many_senders_at_once_leave_no_hole_and_each_keeps_the_own_order() {
    Scene::on_every_store(async |scene| {
        let names = ["ann", "bob", "cid", "dan"];
        let room = scene.room("ann", &["bob", "cid", "dan"]).await;
        let answers =
            (0..50).flat_map(|number| names.map(|name| scene.says(name, room, &format!("{name}-{number:02}"))));
        assert!(join_all(answers.collect::<Vec<_>>()).await.iter().all(Result::is_ok));
        let written = scene.written(room).await;
        assert_eq!(written.len(), 200);
        for name in names {
            let own: Vec<&String> = written.iter().filter(|words| words.starts_with(name)).collect();
            assert!(own.is_sorted() && own.len() == 50, "{own:?}");
        }
        assert_eq!(scene.ear.seqs(room), (1..=200).collect::<Vec<u64>>());
    })
    .await;
}

#[tokio::test]
async fn who_drops_the_answer_does_not_take_the_write_back() {
    let scene = Scene::new().await;
    let room = scene.room("ann", &[]).await;
    drop(scene.says("ann", room, "dropped"));
    scene.says("ann", room, "kept").await.unwrap();
    assert_eq!(scene.written(room).await, ["dropped", "kept"]);
}

#[tokio::test]
async fn a_repeated_client_id_is_answered_with_the_first_result_and_written_once() {
    Scene::on_every_store(async |scene| {
        let room = scene.room("ann", &["bob"]).await;
        let answers = join_all((0..10).map(|_| scene.says("ann", room, "once"))).await;
        let sent: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
        assert!(!sent[0].duplicate && sent[1..].iter().all(|sent| sent.duplicate));
        assert!(sent.iter().all(|other| other.message.id == sent[0].message.id));
        assert!(!scene.says("bob", room, "once").await.unwrap().duplicate, "a clientId is its sender's own");
        assert_eq!(scene.written(room).await, ["once", "once"]);
    })
    .await;
}

#[tokio::test]
async fn who_is_no_member_is_told_the_same_as_of_a_room_that_is_not_there() {
    let scene = Scene::new().await;
    let room = scene.room("ann", &[]).await;
    let foreign = scene.says("bob", room, "hi").await.unwrap_err();
    let nowhere = scene.says("bob", scene.chat.new_conversation_id(), "hi").await.unwrap_err();
    assert_eq!(foreign, nowhere);
    assert_eq!(code(Err::<(), _>(foreign)), ErrorCode::NotFound);
    assert!(scene.written(room).await.is_empty());
}

#[tokio::test]
async fn nodes_that_write_to_the_same_rooms_at_once_share_one_order() {
    Scene::on_every_store(async |scene| {
        let nodes = [scene.another_node(), scene.another_node(), scene];
        let rooms = [nodes[0].room("ann", &["bob", "cid"]).await, nodes[1].room("bob", &["ann", "cid"]).await];
        let mut answers = Vec::new();
        for number in 0..60 {
            for (node, name) in nodes.iter().zip(["ann", "bob", "cid"]) {
                answers.extend(rooms.map(|room| node.says(name, room, &format!("{name}-{number:02}"))));
            }
            tokio::task::yield_now().await;
        }
        assert!(join_all(answers).await.into_iter().all(|answer| !answer.unwrap().duplicate));
        for room in rooms {
            let written = nodes[0].written(room).await;
            assert_eq!(written.len(), 180);
            let mut told = Vec::new();
            for (node, name) in nodes.iter().zip(["ann", "bob", "cid"]) {
                let own: Vec<&String> = written.iter().filter(|words| words.starts_with(name)).collect();
                assert!(own.is_sorted() && own.len() == 60, "{own:?}");
                assert!(node.ear.seqs(room).is_sorted());
                told.extend(node.ear.seqs(room));
            }
            told.sort_unstable();
            assert_eq!(told, (1..=180).collect::<Vec<u64>>(), "each event is told by the node that wrote it");
        }
    })
    .await;
}
