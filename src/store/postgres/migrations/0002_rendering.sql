-- What messages and events show: their present state, the same for a write's answer, a re-read and history.
-- A view or function never changes: a new version stands beside the old one, which older nodes still call.

CREATE VIEW rendered_messages_v1 AS
SELECT m.id, m.conversation, m.seq, m.sender, m.client_id, m.kind, m.content, m.content_json, m.mentions, m.reply_to,
       m.created_at, m.edited_at, m.deleted_at, m.pinned_at,
       s.name AS sender_name, s.username AS sender_username, s.avatar AS sender_avatar,
       r.sender AS reply_sender,
       CASE WHEN NOT r.content_json THEN left(r.content, 100) END AS reply_excerpt
FROM messages m
LEFT JOIN users s ON s.id = m.sender
LEFT JOIN messages r ON r.id = m.reply_to;

-- A personal event shows the name of its conversation only to those who are still in it.
CREATE VIEW rendered_events_v1 AS
SELECT e.feed AS event_feed, e.seq AS event_seq, e.at AS event_at, e.kind AS event_kind, e.version AS event_version,
       e.actor AS event_actor, e.origin AS event_origin, e.args::text AS event_args,
       m.id, m.conversation, m.seq, m.sender, m.client_id, m.kind, m.content, m.content_json, m.mentions, m.reply_to,
       m.created_at, m.edited_at, m.deleted_at, m.pinned_at, m.sender_name, m.sender_username, m.sender_avatar,
       m.reply_sender, m.reply_excerpt,
       c.id AS about_id, c.kind AS about_kind,
       CASE WHEN own.owner IS NULL OR EXISTS (
           SELECT 1 FROM members k WHERE k.conversation = e.about AND k.user_id = own.owner) THEN c.title END AS about_title,
       CASE WHEN own.owner IS NULL OR EXISTS (
           SELECT 1 FROM members k WHERE k.conversation = e.about AND k.user_id = own.owner) THEN c.avatar END AS about_avatar,
       c.retention_days AS about_retention_days, c.created_at AS about_created_at, f.head AS about_head
FROM events e
LEFT JOIN rendered_messages_v1 m ON m.id = e.message
LEFT JOIN conversations c ON c.id = e.about
LEFT JOIN feeds f ON f.id = c.id
LEFT JOIN feeds own ON own.id = e.feed AND e.about IS NOT NULL;

-- The answer to a write: for each asked place its outcome and, where there is one, its event.
CREATE VIEW rendered_outcomes_v1 AS
SELECT NULL::integer AS idx, NULL::text AS outcome, e.* FROM rendered_events_v1 e WHERE false;
