-- The writes beside the log: conversations made, personal feeds written, the identity of the history.

-- Brings back whoever left a direct: it is the only one that the two can have.
CREATE FUNCTION complete_direct_v1(a_id uuid, a_all text[], a_once uuid) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_xid bigint := pg_current_xact_id()::text::bigint;
    v_missing record;
BEGIN
    PERFORM FROM feeds f WHERE f.id = a_id FOR NO KEY UPDATE;
    FOR v_missing IN
        SELECT a.user_id, a.place FROM unnest(a_all) WITH ORDINALITY a (user_id, place)
        WHERE NOT EXISTS (SELECT FROM members m WHERE m.conversation = a_id AND m.user_id = a.user_id) ORDER BY a.place
    LOOP
        PERFORM append_act_v1(v_xid, a_id, NULL, NULL, a_once || ':' || v_missing.place, '{1,1,1}', 'add',
            jsonb_build_object('user', v_missing.user_id, 'role', 1));
    END LOOP;
END $$;

-- Makes a conversation, or finds the one that is there by id, pair, or creator and clientId. `refused` names an unknown user.
CREATE FUNCTION create_conversation_v1(
    a_id uuid, a_kind text, a_title text, a_owner text, a_members text[], a_client_id text,
    OUT made uuid, OUT created boolean, OUT refused text
) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_now bigint := now_ms();
    v_all text[] := CASE WHEN a_owner IS NULL THEN a_members ELSE array_prepend(a_owner, a_members) END;
    v_pair text;
BEGIN
    IF a_kind = 'direct' THEN
        SELECT string_agg(u, ' ' ORDER BY u COLLATE "C") INTO v_pair FROM unnest(v_all) u;
    END IF;
    created := false;
    -- The second round finds what somebody else committed while the insert waited for it.
    FOR v_round IN 1..2 LOOP
        SELECT c.id INTO made FROM conversations c WHERE c.id = a_id;
        IF made IS NULL AND v_pair IS NOT NULL THEN
            SELECT c.id INTO made FROM conversations c WHERE c.pair = v_pair;
            IF (SELECT count(*) FROM members m WHERE m.conversation = made) < 2 THEN
                PERFORM complete_direct_v1(made, v_all, a_id);
            END IF;
        END IF;
        IF made IS NULL AND a_client_id IS NOT NULL THEN
            SELECT c.id INTO made FROM conversations c WHERE c.created_by = a_owner AND c.client_id = a_client_id;
        END IF;
        IF made IS NOT NULL THEN RETURN; END IF;

        SELECT a.u INTO refused FROM unnest(v_all) WITH ORDINALITY a (u, place)
        WHERE NOT EXISTS (SELECT FROM users k WHERE k.id = a.u) ORDER BY a.place LIMIT 1;
        IF refused IS NOT NULL THEN RETURN; END IF;

        INSERT INTO conversations (id, kind, title, created_at, created_by, client_id, pair)
        VALUES (a_id, a_kind, a_title, v_now, a_owner, CASE WHEN a_owner IS NOT NULL THEN a_client_id END, v_pair)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            INSERT INTO feeds (id, kind, last_at) VALUES (a_id, 'conversation', v_now);
            INSERT INTO members (conversation, user_id, role, joined_at, joined_seq, delivered_seq, read_seq, moved_at)
            SELECT a_id, u, CASE WHEN u = a_owner AND a_kind <> 'direct' THEN 3 ELSE 1 END, v_now, 0, 0, 0, v_now
            FROM unnest(v_all) u ORDER BY u;
            INSERT INTO outbox (user_id, kind, feed, seq, args, at)
            SELECT u, 'conversation.added', a_id, 0, '{"fromSeq": 0}', v_now FROM unnest(v_all) u ORDER BY u;
            made := a_id;
            created := true;
            RETURN;
        END IF;
    END LOOP;
    RAISE EXCEPTION 'conversation % vanished while it was made', a_id USING ERRCODE = '40001';
END $$;

-- Works outbox rows into personal feeds. The lock of the user's feed, not of the rows, keeps workers apart: so one user's
-- rows are worked in order. Kinds of a newer version wait for a node that knows them.
CREATE FUNCTION work_outbox_v1(a_limit integer)
RETURNS TABLE (owner text, event rendered_events_v1) LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
    v_xid bigint := pg_current_xact_id()::text::bigint;
    v_now bigint;
    v_feeds uuid[];
    v_places record;
BEGIN
    SELECT array_agg(l.id) INTO v_feeds FROM (
        SELECT f.id FROM feeds f
        WHERE f.owner IN (
            SELECT o.user_id FROM outbox o WHERE o.kind IN ('conversation.added', 'conversation.removed')
            ORDER BY o.id LIMIT a_limit)
        ORDER BY f.id FOR NO KEY UPDATE SKIP LOCKED
    ) l;
    IF v_feeds IS NULL THEN RETURN; END IF;
    v_now := now_ms();

    WITH taken AS MATERIALIZED (
        SELECT o.id, f.id AS feed, f.head + row_number() OVER w AS seq,
            greatest(v_now, f.last_at + 1) + row_number() OVER w - 1 AS at,
            o.kind, o.feed AS about, o.kind || ':' || o.feed || ':' || o.seq AS once, o.args
        FROM (
            SELECT o.* FROM outbox o JOIN feeds f ON f.owner = o.user_id
            WHERE f.id = ANY (v_feeds) AND o.kind IN ('conversation.added', 'conversation.removed')
            ORDER BY o.id LIMIT a_limit
        ) o
        JOIN feeds f ON f.owner = o.user_id
        WINDOW w AS (PARTITION BY f.id ORDER BY o.id)
    ), logged AS (
        INSERT INTO events (feed, seq, xid, at, about, version, kind, actor, client_id, args)
        SELECT t.feed, t.seq, v_xid, t.at, t.about, 1, t.kind, '', t.once, t.args FROM taken t
    ), moved AS (
        UPDATE feeds f SET head = n.head, last_at = n.at
        FROM (SELECT feed, max(seq) AS head, max(at) AS at FROM taken GROUP BY feed) n WHERE f.id = n.feed
    ), done AS (
        DELETE FROM outbox o USING taken t WHERE o.id = t.id
    )
    SELECT array_agg(t.feed ORDER BY t.id) AS feeds, array_agg(t.seq ORDER BY t.id) AS seqs INTO v_places FROM taken t;

    RETURN QUERY
    SELECT f.owner, e FROM unnest(v_places.feeds, v_places.seqs) WITH ORDINALITY AS p (feed, seq, place)
    JOIN feeds f ON f.id = p.feed
    JOIN rendered_events_v1 e ON e.event_feed = p.feed AND e.event_seq = p.seq
    ORDER BY p.place;
END $$;

-- The identity of the history; a new one when the server is another or was restored or promoted since. Transaction ids of
-- another server say nothing here: they are set back, or the poll would find those rows for ever.
CREATE FUNCTION epoch_v1() RETURNS uuid LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_server text := (SELECT s.system_identifier || '/' || d.oid FROM pg_control_system() s, pg_database d
                      WHERE d.datname = current_database());
    v_timeline text := left(pg_walfile_name(pg_current_wal_lsn()), 8);
    v_epoch epoch;
BEGIN
    SELECT * INTO v_epoch FROM epoch;
    IF v_epoch.server = v_server AND v_epoch.timeline = v_timeline THEN RETURN v_epoch.id; END IF;
    LOCK TABLE epoch IN EXCLUSIVE MODE;
    SELECT * INTO v_epoch FROM epoch;
    IF v_epoch.server = v_server AND v_epoch.timeline = v_timeline THEN RETURN v_epoch.id; END IF;
    UPDATE events SET xid = 0 WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint;
    UPDATE revocations SET xid = 0 WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint;
    INSERT INTO epoch (id, server, timeline, created_at) VALUES (gen_random_uuid(), v_server, v_timeline, now_ms())
    ON CONFLICT (one) DO UPDATE SET id = excluded.id, server = excluded.server, timeline = excluded.timeline,
        created_at = excluded.created_at
    RETURNING id INTO v_epoch.id;
    RETURN v_epoch.id;
END $$;
