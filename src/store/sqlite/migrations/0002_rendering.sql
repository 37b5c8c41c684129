-- What messages and events show: their present state, the same for a write's answer, a re-read and history.
--
-- One table and lookups by key: a view that joins could not be taken apart inside a left join, and would be read as a whole.

CREATE VIEW rendered_messages AS
SELECT m.id, m.conversation, m.seq, m.sender, m.client_id, m.kind, m.content, m.content_json, m.mentions, m.reply_to,
       m.created_at, m.edited_at, m.deleted_at, m.pinned_at,
       (SELECT s.name FROM users s WHERE s.id = m.sender) AS sender_name,
       (SELECT s.username FROM users s WHERE s.id = m.sender) AS sender_username,
       (SELECT s.avatar FROM users s WHERE s.id = m.sender) AS sender_avatar,
       (SELECT r.sender FROM messages r WHERE r.id = m.reply_to) AS reply_sender,
       (SELECT substr(r.content, 1, 100) FROM messages r WHERE r.id = m.reply_to AND NOT r.content_json) AS reply_excerpt
FROM messages m;

-- A personal event shows the name of its conversation only to those who are still in it.
CREATE VIEW rendered_events AS
SELECT e.feed AS event_feed, e.seq AS event_seq, e.at AS event_at, e.kind AS event_kind, e.version AS event_version,
       e.actor AS event_actor, e.origin AS event_origin, e.args AS event_args,
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
LEFT JOIN rendered_messages m ON m.id = e.message
LEFT JOIN conversations c ON c.id = e.about
LEFT JOIN feeds f ON f.id = c.id
LEFT JOIN feeds own ON own.id = e.feed AND e.about IS NOT NULL;
