-- The shapes of everything that must survive. Later features add kinds, columns and tables; these stay.
--
-- Times are milliseconds since 1970 (bigint). Roles are ranks: 1 member, 2 admin, 3 owner. `xid` is the transaction that
-- wrote the row, as bigint. Hot tables have no foreign keys: their rows are written by the functions below after the same
-- checks, under the lock of the feed, and a key check per row costs more than the row.

-- The identity of this history. It changes with the server, the database or the timeline: what was
-- restored or promoted may lack commits.
CREATE TABLE epoch (
    one        boolean PRIMARY KEY DEFAULT true CHECK (one),
    id         uuid   NOT NULL,
    server     text   NOT NULL,
    timeline   text   NOT NULL,
    created_at bigint NOT NULL
);

CREATE TABLE users (
    id         text COLLATE "C" PRIMARY KEY,
    name       text   NOT NULL,
    username   text,
    avatar     text,
    email      text,
    created_at bigint NOT NULL
);

-- An ordered log each. Only head and last_at change, and no index names them: every update stays in its page (HOT).
CREATE TABLE feeds (
    id      uuid   PRIMARY KEY,
    kind    text   NOT NULL CHECK (kind IN ('conversation', 'user')),
    owner   text COLLATE "C" UNIQUE REFERENCES users (id),
    head    bigint NOT NULL DEFAULT 0,
    last_at bigint NOT NULL DEFAULT 0,
    CHECK ((kind = 'user') = (owner IS NOT NULL))
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

CREATE TABLE conversations (
    id             uuid   PRIMARY KEY,
    kind           text   NOT NULL CHECK (kind IN ('direct', 'group', 'channel')),
    title          text,
    avatar         text,
    retention_days integer,
    created_at     bigint NOT NULL,
    created_by     text COLLATE "C" REFERENCES users (id),
    client_id      text COLLATE "C",
    -- Both user ids of a direct, in order, with a blank between: what makes it unique.
    pair           text COLLATE "C" UNIQUE
);
CREATE UNIQUE INDEX conversations_once ON conversations (created_by, client_id) WHERE client_id IS NOT NULL;

CREATE TABLE members (
    conversation  uuid     NOT NULL REFERENCES conversations (id),
    user_id       text COLLATE "C" NOT NULL REFERENCES users (id),
    role          smallint NOT NULL CHECK (role BETWEEN 1 AND 3),
    joined_at     bigint   NOT NULL,
    -- History up to here is from before joining.
    joined_seq    bigint   NOT NULL,
    delivered_seq bigint   NOT NULL,
    read_seq      bigint   NOT NULL,
    -- When a watermark last moved.
    moved_at      bigint   NOT NULL,
    muted_until   bigint,
    archived      boolean  NOT NULL DEFAULT false,
    PRIMARY KEY (conversation, user_id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX members_by_user ON members (user_id, conversation);
CREATE INDEX members_by_age ON members (conversation, joined_at, user_id);

-- The words, once. The events of a message point here, so that what it shows changes everywhere at once.
CREATE TABLE messages (
    id           uuid    PRIMARY KEY,
    conversation uuid    NOT NULL,
    seq          bigint  NOT NULL,
    sender       text COLLATE "C" NOT NULL,
    client_id    text COLLATE "C",
    kind         text    NOT NULL,
    -- NULL once deleted.
    content      text,
    content_json boolean NOT NULL,
    reply_to     uuid,
    -- User ids with blanks between.
    mentions     text,
    created_at   bigint  NOT NULL,
    edited_at    bigint,
    deleted_at   bigint,
    pinned_at    bigint
) WITH (fillfactor = 95, autovacuum_vacuum_insert_scale_factor = 0.1, autovacuum_analyze_scale_factor = 0.05);
CREATE UNIQUE INDEX messages_by_seq ON messages (conversation, seq);

-- Facts, not words.
CREATE TABLE events (
    feed      uuid     NOT NULL,
    seq       bigint   NOT NULL,
    xid       bigint   NOT NULL,
    at        bigint   NOT NULL,
    -- The message that it tells of, if any.
    message   uuid,
    -- The conversation that it shows or names, if any.
    about     uuid,
    origin    uuid,
    version   smallint NOT NULL,
    kind      text     NOT NULL,
    -- Empty: the system, or the service API acting by itself.
    actor     text COLLATE "C" NOT NULL,
    -- Makes the write happen once per feed and actor. NULL for what follows from another event.
    client_id text COLLATE "C",
    args      jsonb,
    PRIMARY KEY (feed, seq)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.1, autovacuum_analyze_scale_factor = 0.05);
CREATE UNIQUE INDEX events_once ON events (feed, actor, client_id) WHERE client_id IS NOT NULL;
-- The poll reads from here on; its entries arrive in order and share their key per transaction, so it stays small.
CREATE INDEX events_by_xid ON events (xid);

-- What follows from a committed event and is worked off the hot path; a row lives until it is done.
CREATE TABLE outbox (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id text COLLATE "C" NOT NULL,
    kind    text NOT NULL,
    -- The event that it follows from; seq 0 for a creation.
    feed    uuid NOT NULL,
    seq     bigint NOT NULL,
    args    jsonb NOT NULL,
    at      bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX outbox_by_user ON outbox (user_id, id);

CREATE TABLE nodes (
    id        text COLLATE "C" PRIMARY KEY,
    advertise text   NOT NULL,
    version   text   NOT NULL,
    beat      bigint NOT NULL
) WITH (fillfactor = 50);

-- A token that no longer counts; read by every node with the poll.
CREATE TABLE revocations (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid        bigint NOT NULL,
    at         bigint NOT NULL,
    user_id    text COLLATE "C" NOT NULL,
    family     uuid,
    generation bigint,
    reason     text   NOT NULL
);
CREATE INDEX revocations_by_xid ON revocations (xid);
CREATE INDEX revocations_by_user ON revocations (user_id);
