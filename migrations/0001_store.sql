-- The store: inbox, leases, events, folds, views. Times are integer microseconds since 1970 in UTC.
-- A key is (repository, pipeline); the empty pipeline stands for the repository itself.

-- 'lkkp': so that nobody's other database is taken for ours, and migrated.
PRAGMA application_id = 1818979184;

-- One row per key: when it is to be looked at, and who looks at it now.
CREATE TABLE work (
    repository TEXT NOT NULL,
    pipeline TEXT NOT NULL,
    -- Null: nothing to do. Set while a lease lasts: somebody asked again in the meantime.
    due_at INTEGER,
    -- Counts the claims; a writer with an older one has lost its lease. Never starts anew, so rows are never deleted.
    generation INTEGER NOT NULL DEFAULT 0,
    -- Null: not leased. Past: the holder is gone, and the key is due.
    leased_until INTEGER,
    -- 1: the pipeline is gone; anything that marks the key brings it back.
    retired INTEGER NOT NULL DEFAULT 0 CHECK (retired IN (0, 1)),
    -- From when it can be claimed.
    ready_at INTEGER GENERATED ALWAYS AS (coalesce(leased_until, due_at)) VIRTUAL,
    PRIMARY KEY (repository, pipeline)
) STRICT, WITHOUT ROWID;
CREATE INDEX work_ready ON work (ready_at) WHERE ready_at IS NOT NULL;

-- What came in. A row outlives its closing for a while, so that a repeat is known as one.
CREATE TABLE delivery (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    source TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    hints TEXT NOT NULL,
    -- Null: some key has not looked at it yet.
    closed_at INTEGER
) STRICT;
CREATE INDEX delivery_open ON delivery (number) WHERE closed_at IS NULL;
CREATE INDEX delivery_closed ON delivery (closed_at) WHERE closed_at IS NOT NULL;

-- Which keys have yet to look at which delivery.
CREATE TABLE concern (
    repository TEXT NOT NULL,
    pipeline TEXT NOT NULL,
    delivery INTEGER NOT NULL REFERENCES delivery (number) ON DELETE CASCADE,
    PRIMARY KEY (repository, pipeline, delivery)
) STRICT, WITHOUT ROWID;
CREATE INDEX concern_delivery ON concern (delivery);

-- What happened: append-only, without gaps per key.
CREATE TABLE event (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    repository TEXT NOT NULL,
    pipeline TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    entry TEXT NOT NULL,
    UNIQUE (repository, pipeline, sequence)
) STRICT;
CREATE TRIGGER event_is_not_changed BEFORE UPDATE ON event
BEGIN SELECT raise(ABORT, 'events are append-only'); END;
CREATE TRIGGER event_is_not_removed BEFORE DELETE ON event
BEGIN SELECT raise(ABORT, 'events are append-only'); END;
-- Also stops `INSERT OR REPLACE`, which removes without asking the trigger above.
CREATE TRIGGER event_is_next BEFORE INSERT ON event
WHEN NEW.sequence <> 1 + coalesce(
    (SELECT max(sequence) FROM event WHERE repository = NEW.repository AND pipeline = NEW.pipeline), 0)
BEGIN SELECT raise(ABORT, 'the sequence of events has no gaps'); END;

-- The state after the event of this sequence number; can be computed anew at any time.
CREATE TABLE fold (
    repository TEXT NOT NULL,
    pipeline TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (repository, pipeline)
) STRICT, WITHOUT ROWID;

-- What the pages show.
CREATE TABLE view (
    repository TEXT NOT NULL,
    pipeline TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (repository, pipeline)
) STRICT, WITHOUT ROWID;

-- Which keys look at which image repository (canonical spelling).
CREATE TABLE watch (
    image TEXT NOT NULL,
    repository TEXT NOT NULL,
    pipeline TEXT NOT NULL,
    PRIMARY KEY (image, repository, pipeline)
) STRICT, WITHOUT ROWID;
CREATE INDEX watch_key ON watch (repository, pipeline);

-- How far something was read: the last comment seen, say.
CREATE TABLE cursor (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
