-- The shapes of everything that must survive, as Postgres has them. Later features add kinds, columns and tables; these stay.
--
-- Times are milliseconds since 1970. Roles are ranks: 1 member, 2 admin, 3 owner. Ids that are UUIDs are blobs of 16 bytes. `xid` is
-- the number of the write transaction: there is one writer, so the numbers rise in commit order.

CREATE TABLE counter (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    xid INTEGER NOT NULL
) STRICT;
INSERT INTO counter (one, xid) VALUES (1, 1);

-- The identity of this history.
CREATE TABLE epoch (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    id         BLOB    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE users (
    id         TEXT    PRIMARY KEY,
    name       TEXT    NOT NULL,
    username   TEXT,
    avatar     TEXT,
    email      TEXT,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- An ordered log each.
CREATE TABLE feeds (
    id      BLOB    PRIMARY KEY NOT NULL,
    kind    TEXT    NOT NULL CHECK (kind IN ('conversation', 'user')),
    owner   TEXT    UNIQUE REFERENCES users (id),
    head    INTEGER NOT NULL DEFAULT 0,
    last_at INTEGER NOT NULL DEFAULT 0,
    CHECK ((kind = 'user') = (owner IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE conversations (
    id             BLOB    PRIMARY KEY NOT NULL,
    kind           TEXT    NOT NULL CHECK (kind IN ('direct', 'group', 'channel')),
    title          TEXT,
    avatar         TEXT,
    retention_days INTEGER,
    created_at     INTEGER NOT NULL,
    created_by     TEXT    REFERENCES users (id),
    client_id      TEXT,
    -- Both user ids of a direct, in order, with a blank between: what makes it unique.
    pair           TEXT    UNIQUE
) STRICT;
CREATE UNIQUE INDEX conversations_once ON conversations (created_by, client_id) WHERE client_id IS NOT NULL;

CREATE TABLE members (
    conversation  BLOB    NOT NULL REFERENCES conversations (id),
    user_id       TEXT    NOT NULL REFERENCES users (id),
    role          INTEGER NOT NULL CHECK (role BETWEEN 1 AND 3),
    joined_at     INTEGER NOT NULL,
    -- History up to here is from before joining.
    joined_seq    INTEGER NOT NULL,
    delivered_seq INTEGER NOT NULL,
    read_seq      INTEGER NOT NULL,
    -- When a watermark last moved.
    moved_at      INTEGER NOT NULL,
    muted_until   INTEGER,
    archived      INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (conversation, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_by_user ON members (user_id, conversation);
CREATE INDEX members_by_age ON members (conversation, joined_at, user_id);

-- The words, once. The events of a message point here, so that what it shows changes everywhere at once.
CREATE TABLE messages (
    id           BLOB    PRIMARY KEY NOT NULL,
    conversation BLOB    NOT NULL,
    seq          INTEGER NOT NULL,
    sender       TEXT    NOT NULL,
    client_id    TEXT,
    kind         TEXT    NOT NULL,
    -- NULL once deleted.
    content      TEXT,
    content_json INTEGER NOT NULL,
    reply_to     BLOB,
    -- User ids with blanks between.
    mentions     TEXT,
    created_at   INTEGER NOT NULL,
    edited_at    INTEGER,
    deleted_at   INTEGER,
    pinned_at    INTEGER
) STRICT;
CREATE UNIQUE INDEX messages_by_seq ON messages (conversation, seq);

-- Facts, not words.
CREATE TABLE events (
    feed      BLOB    NOT NULL,
    seq       INTEGER NOT NULL,
    xid       INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    -- The message that it tells of, if any.
    message   BLOB,
    -- The conversation that it shows or names, if any.
    about     BLOB,
    origin    BLOB,
    version   INTEGER NOT NULL,
    kind      TEXT    NOT NULL,
    -- Empty: the system, or the service API acting by itself.
    actor     TEXT    NOT NULL,
    -- Makes the write happen once per feed and actor. NULL for what follows from another event.
    client_id TEXT,
    args      TEXT,
    PRIMARY KEY (feed, seq)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX events_once ON events (feed, actor, client_id) WHERE client_id IS NOT NULL;
-- The poll reads from here on; its entries arrive in order and share their key per transaction, so it stays small.
CREATE INDEX events_by_xid ON events (xid);

-- What follows from a committed event and is worked off the hot path; a row lives until it is done.
CREATE TABLE outbox (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id TEXT    NOT NULL,
    kind    TEXT    NOT NULL,
    -- The event that it follows from; seq 0 for a creation.
    feed    BLOB NOT NULL,
    seq     INTEGER NOT NULL,
    args    TEXT NOT NULL,
    at      INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_by_user ON outbox (user_id, id);

CREATE TABLE nodes (
    id        TEXT    PRIMARY KEY,
    advertise TEXT    NOT NULL,
    version   TEXT    NOT NULL,
    beat      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A token that no longer counts; read by every node with the poll.
CREATE TABLE revocations (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    xid        INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    user_id    TEXT    NOT NULL,
    family     BLOB,
    generation INTEGER,
    reason     TEXT    NOT NULL
) STRICT;
CREATE INDEX revocations_by_xid ON revocations (xid);
CREATE INDEX revocations_by_user ON revocations (user_id);
