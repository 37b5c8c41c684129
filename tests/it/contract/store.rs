//! What every store does: one list of behaviours, run over SQLite and over Postgres.

mod appending;
mod changes;
mod conversations;
mod duplicates;
mod members;
mod personal;
mod postgres;
mod reading;
mod receipts;
mod roles;
mod schema;
mod users;
pub mod world;

/// Runs each behaviour over each engine; a behaviour gets a world of its own.
macro_rules! behaviours {
    ($($file:ident: $($behaviour:ident),+ $(,)?;)*) => {
        mod sqlite_does {
            $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $behaviour() {
                super::$file::$behaviour(super::world::World::on_sqlite().await).await;
            })+)*
        }

        mod postgres_does {
            $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $behaviour() {
                let Some(world) = super::world::World::on_postgres().await else { return };
                super::$file::$behaviour(world).await;
            })+)*
        }
    };
}

behaviours! {
    appending:
        sends_of_a_batch_follow_one_another_without_holes,
        sends_from_two_connections_at_once_leave_no_hole,
        times_rise_strictly_within_a_conversation,
        a_send_shows_its_sender_and_only_members_among_its_mentions,
        content_and_origin_come_back_as_they_were_given,
        a_reply_shows_what_it_answers,
        a_reply_to_a_send_of_the_same_batch_is_accepted,
        a_reply_to_another_conversation_is_invalid,
        a_send_without_a_sender_is_invalid,
        a_send_to_nowhere_is_not_found,
        poison_fails_alone,
        a_nul_fails_alone_in_every_text,
        a_batch_does_what_its_writes_would_do_one_after_the_other,
        an_empty_batch_is_answered_with_nothing;
    duplicates:
        a_repeated_send_is_answered_with_the_first,
        a_repeated_batch_writes_nothing,
        a_duplicate_inside_a_batch_is_folded,
        the_same_client_id_of_another_sender_is_another_send,
        the_same_client_id_in_another_conversation_is_another_send,
        one_client_id_from_two_connections_at_once_is_written_once,
        a_duplicate_is_found_also_after_the_sender_was_removed,
        a_repeated_membership_act_is_answered_with_the_first,
        a_refused_send_may_be_repeated_once_it_is_allowed;
    roles:
        every_act_asks_for_its_role,
        the_service_needs_no_membership,
        strangers_find_nothing,
        only_owners_remove_those_with_a_rank;
    members:
        adding_writes_an_event_and_a_membership,
        adding_again_changes_nothing,
        adding_an_unknown_user_is_invalid,
        a_removed_member_may_no_longer_send_in_the_same_batch,
        removing_a_stranger_is_not_found,
        a_role_is_changed_once,
        the_last_owner_cannot_step_down,
        the_oldest_admin_inherits_from_the_last_owner,
        the_oldest_member_inherits_where_there_is_no_admin,
        the_last_to_leave_leaves_an_empty_conversation,
        an_update_shows_the_conversation_as_it_is_now,
        an_update_to_the_same_changes_nothing;
    conversations:
        a_conversation_begins_with_its_members_and_an_empty_feed,
        an_unknown_member_is_named_and_nothing_is_made,
        a_direct_is_unique_also_when_both_make_it_at_once,
        nobody_owns_a_direct,
        making_a_direct_again_brings_back_who_left,
        a_repeated_creation_finds_the_first,
        a_given_id_is_made_once,
        the_list_shows_the_most_recently_active_first_and_pages_through,
        ids_come_in_order_and_page_through,
        members_page_in_order_of_joining,
        a_malformed_cursor_is_refused;
    personal:
        everybody_in_a_new_conversation_is_told_once,
        adding_and_removing_are_told_in_order,
        concurrent_workers_tell_each_news_exactly_once,
        a_removed_user_no_longer_sees_the_title;
    reading:
        events_page_from_a_cursor,
        events_are_cut_at_about_a_mebibyte_but_never_to_none,
        live_and_reread_are_the_same,
        history_pages_both_ways,
        a_message_is_found_by_its_id,
        attach_points_are_for_members_and_owners,
        heads_leave_out_what_is_unknown;
    receipts:
        watermarks_rise_are_clamped_and_never_fall,
        reading_implies_delivery,
        a_send_moves_the_watermarks_of_its_sender,
        strangers_have_no_watermarks,
        those_who_moved_last_come_first,
        unread_counts_others_messages_since_reading,
        unread_leaves_out_history_from_before_joining,
        unread_stops_at_a_thousand;
    changes:
        a_first_ask_gives_a_point_and_nothing_else,
        changed_feeds_are_told_with_their_highest_seq,
        nothing_that_is_committed_is_missed_while_many_write;
    users:
        users_are_ensured_but_not_changed,
        users_are_put_field_by_field,
        a_node_is_seen_until_it_is_forgotten,
        the_epoch_stays;
    schema:
        every_statement_prepares,
        many_may_migrate_at_once,
        an_older_schema_says_what_to_run,
        a_newer_schema_is_fine,
        what_was_written_is_there_after_opening_again;
}
