-- The write path of conversation feeds: one call, one commit. Statements inside a VOLATILE function have a snapshot each,
-- so what is read after the locks sees everything that was committed before them.

CREATE FUNCTION now_ms() RETURNS bigint LANGUAGE sql VOLATILE
RETURN (extract(epoch FROM clock_timestamp()) * 1000)::bigint;

-- Sends, judged and written together. No two of them may have the same clientId, nor answer one another: then judging them
-- together is the same as one after the other. Returns the verdict and the seq of each.
CREATE FUNCTION append_sends_v1(
    a_locked uuid[], a_xid bigint,
    a_conversation uuid[], a_actor text[], a_origin uuid[], a_client_id text[],
    a_direct smallint[], a_group smallint[], a_channel smallint[],
    a_message uuid[], a_kind text[], a_content text[], a_json boolean[], a_reply uuid[], a_mentions text[],
    OUT verdicts text[], OUT seqs bigint[]
) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    now bigint := now_ms();
BEGIN
    WITH asked AS MATERIALIZED (
        SELECT * FROM unnest(
            a_conversation, a_actor, a_origin, a_client_id, a_direct, a_group, a_channel,
            a_message, a_kind, a_content, a_json, a_reply, a_mentions
        ) WITH ORDINALITY AS t (
            conversation, actor, origin, client_id, need_direct, need_group, need_channel,
            message, kind, content, json, reply, mentions, idx)
    ), judged AS MATERIALIZED (
        SELECT a.*, f.head, f.last_at, d.seq AS old_seq,
            CASE
                WHEN f.id IS NULL THEN 'not_found'
                WHEN a_locked IS NOT NULL AND f.id <> ALL (a_locked) THEN 'busy'
                WHEN d.seq IS NOT NULL THEN 'duplicate'
                WHEN c.id IS NULL THEN 'not_found'
                WHEN a.actor IS NULL THEN 'no_sender'
                WHEN m.role IS NULL THEN 'not_found'
                WHEN m.role >= CASE c.kind WHEN 'direct' THEN a.need_direct
                                           WHEN 'group' THEN a.need_group
                                           ELSE a.need_channel END
                THEN CASE WHEN a.reply IS NULL OR r.id IS NOT NULL THEN 'written' ELSE 'reply_elsewhere' END
                ELSE 'forbidden'
            END AS verdict
        FROM asked a
        LEFT JOIN feeds f ON f.id = a.conversation
        LEFT JOIN conversations c ON c.id = a.conversation
        LEFT JOIN members m ON m.conversation = a.conversation AND m.user_id = a.actor
        LEFT JOIN events d ON d.feed = a.conversation AND d.actor = coalesce(a.actor, '') AND d.client_id = a.client_id
        LEFT JOIN messages r ON r.id = a.reply AND r.conversation = a.conversation
    ), placed AS MATERIALIZED (
        -- Those that are refused take no place; a duplicate has the one of the first.
        SELECT j.*,
            CASE WHEN j.verdict = 'written' THEN j.head + count(*) FILTER (WHERE j.verdict = 'written') OVER w
                 ELSE j.old_seq END AS seq,
            greatest(now, j.last_at + 1) - 1 + count(*) FILTER (WHERE j.verdict = 'written') OVER w AS at
        FROM judged j
        WINDOW w AS (PARTITION BY j.conversation ORDER BY j.idx)
    ), stored AS (
        INSERT INTO messages (id, conversation, seq, sender, client_id, kind, content, content_json, reply_to, mentions, created_at)
        SELECT n.message, n.conversation, n.seq, n.actor, n.client_id, n.kind, n.content, n.json, n.reply,
            CASE WHEN n.mentions IS NOT NULL THEN (
                SELECT string_agg(w.user_id, ' ' ORDER BY w.place)
                FROM unnest(string_to_array(n.mentions, ' ')) WITH ORDINALITY AS w (user_id, place)
                JOIN members m ON m.conversation = n.conversation AND m.user_id = w.user_id
            ) END,
            n.at
        FROM placed n WHERE n.verdict = 'written'
    ), logged AS (
        INSERT INTO events (feed, seq, xid, at, message, origin, version, kind, actor, client_id)
        SELECT n.conversation, n.seq, a_xid, n.at, n.message, n.origin, 1, 'message.new', n.actor, n.client_id
        FROM placed n WHERE n.verdict = 'written'
    ), moved AS (
        UPDATE feeds f SET head = n.head, last_at = n.at
        FROM (SELECT conversation, max(seq) AS head, max(at) AS at FROM placed WHERE verdict = 'written'
              GROUP BY conversation) n
        WHERE f.id = n.conversation
    ), read AS (
        -- In the lock order of members. What a receipt moved meanwhile stays: watermarks only rise.
        UPDATE members m
        SET read_seq = greatest(m.read_seq, n.seq), delivered_seq = greatest(m.delivered_seq, n.seq), moved_at = now
        FROM (SELECT conversation, actor, max(seq) AS seq FROM placed WHERE verdict = 'written'
              GROUP BY conversation, actor ORDER BY conversation, actor) n
        WHERE m.conversation = n.conversation AND m.user_id = n.actor
    )
    SELECT array_agg(n.verdict ORDER BY n.idx), array_agg(n.seq ORDER BY n.idx) INTO verdicts, seqs FROM placed n;
END $$;

-- Writes one event at the head of a locked feed; returns its seq.
CREATE FUNCTION log_event_v1(
    a_feed uuid, a_xid bigint, a_kind text, a_actor text, a_origin uuid, a_client_id text, a_args jsonb, a_about uuid,
    OUT seq bigint, OUT at bigint
) LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    UPDATE feeds f SET head = f.head + 1, last_at = greatest(now_ms(), f.last_at + 1) WHERE f.id = a_feed
    RETURNING f.head, f.last_at INTO seq, at;
    INSERT INTO events (feed, seq, xid, at, about, origin, version, kind, actor, client_id, args)
    VALUES (a_feed, seq, a_xid, at, a_about, a_origin, 1, a_kind, coalesce(a_actor, ''), a_client_id, a_args);
END $$;

CREATE FUNCTION role_name(a_role smallint) RETURNS text LANGUAGE sql IMMUTABLE
RETURN CASE a_role WHEN 3 THEN 'owner' WHEN 2 THEN 'admin' ELSE 'member' END;

-- One act that is no send, on a locked feed. `a_args`: {user, role} or the patch. `also` is the seq of a second event.
CREATE FUNCTION append_act_v1(
    a_xid bigint, a_conversation uuid, a_actor text, a_origin uuid, a_client_id text, a_need smallint[], a_act text, a_args jsonb,
    OUT verdict text, OUT seq bigint, OUT also bigint
) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_conversation conversations;
    v_user text := a_args ->> 'user';
    v_role smallint := (a_args ->> 'role')::smallint;
    v_actor_role smallint;
    v_old_role smallint;
    v_need smallint;
    v_heir text;
    v_at bigint;
BEGIN
    SELECT e.seq INTO seq FROM events e
    WHERE e.feed = a_conversation AND e.actor = coalesce(a_actor, '') AND e.client_id = a_client_id;
    IF FOUND THEN verdict := 'duplicate'; RETURN; END IF;

    SELECT * INTO v_conversation FROM conversations c WHERE c.id = a_conversation;
    IF NOT FOUND THEN verdict := 'not_found'; RETURN; END IF;
    v_need := a_need[CASE v_conversation.kind WHEN 'direct' THEN 1 WHEN 'group' THEN 2 ELSE 3 END];
    IF a_actor IS NOT NULL THEN
        SELECT m.role INTO v_actor_role FROM members m WHERE m.conversation = a_conversation AND m.user_id = a_actor;
        IF NOT FOUND THEN verdict := 'not_found'; RETURN; END IF;
    END IF;
    IF v_need IS NULL OR v_actor_role < v_need THEN verdict := 'forbidden'; RETURN; END IF;

    IF a_act = 'update' THEN
        UPDATE conversations c SET
            title = CASE WHEN a_args ? 'title' THEN a_args ->> 'title' ELSE c.title END,
            avatar = CASE WHEN a_args ? 'avatar' THEN a_args ->> 'avatar' ELSE c.avatar END,
            retention_days = CASE WHEN a_args ? 'retentionDays' THEN (a_args ->> 'retentionDays')::integer ELSE c.retention_days END
        WHERE c.id = a_conversation AND (
            (a_args ? 'title' AND c.title IS DISTINCT FROM a_args ->> 'title')
            OR (a_args ? 'avatar' AND c.avatar IS DISTINCT FROM a_args ->> 'avatar')
            OR (a_args ? 'retentionDays' AND c.retention_days IS DISTINCT FROM (a_args ->> 'retentionDays')::integer));
        IF NOT FOUND THEN verdict := 'unchanged'; RETURN; END IF;
        SELECT l.seq INTO seq FROM log_event_v1(a_conversation, a_xid, 'conversation.updated', a_actor, a_origin, a_client_id,
            NULL, a_conversation) l;
        verdict := 'written';
        RETURN;
    END IF;

    SELECT m.role INTO v_old_role FROM members m
    WHERE m.conversation = a_conversation AND m.user_id = v_user FOR NO KEY UPDATE;

    IF a_act = 'add' THEN
        IF v_old_role IS NOT NULL THEN verdict := 'unchanged'; RETURN; END IF;
        IF NOT EXISTS (SELECT FROM users u WHERE u.id = v_user) THEN verdict := 'unknown_user'; RETURN; END IF;
        SELECT l.seq, l.at INTO seq, v_at FROM log_event_v1(a_conversation, a_xid, 'member.added', a_actor, a_origin, a_client_id,
            jsonb_build_object('user', v_user, 'role', role_name(v_role), 'by', a_actor), NULL) l;
        INSERT INTO members (conversation, user_id, role, joined_at, joined_seq, delivered_seq, read_seq, moved_at)
        VALUES (a_conversation, v_user, v_role, v_at, seq, seq, seq, v_at);
        INSERT INTO outbox (user_id, kind, feed, seq, args, at)
        VALUES (v_user, 'conversation.added', a_conversation, seq, jsonb_build_object('fromSeq', seq - 1), v_at);
        verdict := 'written';
        RETURN;
    END IF;

    IF v_old_role IS NULL THEN verdict := 'not_found'; RETURN; END IF;

    IF a_act = 'role' THEN
        IF v_old_role = v_role THEN verdict := 'unchanged'; RETURN; END IF;
        IF v_old_role = 3 AND NOT EXISTS (
            SELECT FROM members m WHERE m.conversation = a_conversation AND m.role = 3 AND m.user_id <> v_user
        ) THEN verdict := 'last_owner'; RETURN; END IF;
        UPDATE members m SET role = v_role WHERE m.conversation = a_conversation AND m.user_id = v_user;
        SELECT l.seq INTO seq FROM log_event_v1(a_conversation, a_xid, 'member.role', a_actor, a_origin, a_client_id,
            jsonb_build_object('user', v_user, 'role', role_name(v_role), 'by', a_actor), NULL) l;
        verdict := 'written';
        RETURN;
    END IF;

    -- Removal: of somebody with a rank only by an owner; leaving is everybody's own.
    IF v_actor_role < 3 AND a_actor <> v_user AND v_old_role > 1 THEN verdict := 'forbidden'; RETURN; END IF;
    DELETE FROM members m WHERE m.conversation = a_conversation AND m.user_id = v_user;
    SELECT l.seq, l.at INTO seq, v_at FROM log_event_v1(a_conversation, a_xid, 'member.removed', a_actor, a_origin, a_client_id,
        jsonb_build_object('user', v_user, 'by', a_actor), NULL) l;
    INSERT INTO outbox (user_id, kind, feed, seq, args, at)
    VALUES (v_user, 'conversation.removed', a_conversation, seq, jsonb_build_object('conversation', a_conversation), v_at);
    verdict := 'written';
    IF v_old_role = 3 AND NOT EXISTS (SELECT FROM members m WHERE m.conversation = a_conversation AND m.role = 3) THEN
        SELECT m.user_id INTO v_heir FROM members m WHERE m.conversation = a_conversation
        ORDER BY m.role DESC, m.joined_at, m.user_id LIMIT 1;
        IF FOUND THEN
            UPDATE members m SET role = 3 WHERE m.conversation = a_conversation AND m.user_id = v_heir;
            SELECT l.seq INTO also FROM log_event_v1(a_conversation, a_xid, 'member.role', NULL, NULL, NULL,
                jsonb_build_object('user', v_heir, 'role', 'owner', 'by', NULL), NULL) l;
        END IF;
    END IF;
END $$;

-- The whole batch. `a_steps` holds the last place of each step: a stretch of sends that may be judged together, or one other
-- act. With `a_wait` it waits for locked feeds (up to lock_timeout), else their writes are answered 'busy'.
CREATE FUNCTION append_v1(
    a_wait boolean, a_steps integer[], a_feeds uuid[],
    a_conversation uuid[], a_actor text[], a_origin uuid[], a_client_id text[],
    a_direct smallint[], a_group smallint[], a_channel smallint[],
    a_act text[], a_args text[],
    a_message uuid[], a_kind text[], a_content text[], a_json boolean[], a_reply uuid[], a_mentions text[]
) RETURNS SETOF rendered_outcomes_v1 LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    -- NULL while all feeds are locked, else those that are.
    v_locked uuid[];
    v_xid bigint := pg_current_xact_id()::text::bigint;
    v_lo integer := 1;
    v_hi integer;
    v_sends record;
    v_act record;
    v_verdicts text[] := '{}';
    v_seqs bigint[] := '{}';
    v_also_idx integer[] := '{}';
    v_also_seqs bigint[] := '{}';
BEGIN
    IF a_wait THEN
        PERFORM FROM feeds f WHERE f.id = ANY (a_feeds) ORDER BY f.id FOR NO KEY UPDATE;
    ELSE
        SELECT array_agg(l.id) INTO v_locked FROM (
            SELECT f.id FROM feeds f WHERE f.id = ANY (a_feeds) ORDER BY f.id FOR NO KEY UPDATE SKIP LOCKED
        ) l;
        v_locked := CASE WHEN cardinality(v_locked) = cardinality(a_feeds) THEN NULL ELSE coalesce(v_locked, '{}') END;
    END IF;

    FOREACH v_hi IN ARRAY a_steps LOOP
        IF a_act[v_hi] = 'send' THEN
            v_sends := append_sends_v1(v_locked, v_xid,
                a_conversation[v_lo:v_hi], a_actor[v_lo:v_hi], a_origin[v_lo:v_hi], a_client_id[v_lo:v_hi],
                a_direct[v_lo:v_hi], a_group[v_lo:v_hi], a_channel[v_lo:v_hi],
                a_message[v_lo:v_hi], a_kind[v_lo:v_hi], a_content[v_lo:v_hi], a_json[v_lo:v_hi],
                a_reply[v_lo:v_hi], a_mentions[v_lo:v_hi]);
            v_verdicts := v_verdicts || v_sends.verdicts;
            v_seqs := v_seqs || v_sends.seqs;
        ELSIF v_locked IS NOT NULL AND a_conversation[v_hi] <> ALL (v_locked)
              AND EXISTS (SELECT FROM feeds f WHERE f.id = a_conversation[v_hi]) THEN
            v_verdicts := v_verdicts || 'busy'::text;
            v_seqs := v_seqs || NULL::bigint;
        ELSE
            v_act := append_act_v1(v_xid, a_conversation[v_hi], a_actor[v_hi], a_origin[v_hi], a_client_id[v_hi],
                ARRAY[a_direct[v_hi], a_group[v_hi], a_channel[v_hi]], a_act[v_hi], a_args[v_hi]::jsonb);
            v_verdicts := v_verdicts || v_act.verdict;
            v_seqs := v_seqs || v_act.seq;
            IF v_act.also IS NOT NULL THEN
                v_also_idx := v_also_idx || v_hi;
                v_also_seqs := v_also_seqs || v_act.also;
            END IF;
        END IF;
        v_lo := v_hi + 1;
    END LOOP;

    RETURN QUERY
    SELECT o.idx::integer, o.verdict, e.*
    FROM unnest(v_verdicts, a_conversation, v_seqs) WITH ORDINALITY AS o (verdict, feed, seq, idx)
    LEFT JOIN rendered_events_v1 e ON e.event_feed = o.feed AND e.event_seq = o.seq;
    IF v_also_idx <> '{}' THEN
        RETURN QUERY
        SELECT o.idx, 'also'::text, e.*
        FROM unnest(v_also_idx, v_also_seqs) AS o (idx, seq)
        JOIN rendered_events_v1 e ON e.event_feed = a_conversation[o.idx] AND e.event_seq = o.seq;
    END IF;
END $$;
