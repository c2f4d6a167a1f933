-- Times are whole unix seconds of a device where they are called `time`, `begin` or `end`,
-- and unix seconds of our own clock where they end in `_at` or `_seen`.

CREATE TABLE accounts (
    name     TEXT PRIMARY KEY,     -- the account's name in the configuration
    serial   INTEGER NOT NULL,     -- grows with every save; decides between this row and a spare file
    record   TEXT NOT NULL,        -- JSON of core/tokens.py: tokens, intent, suspicion; secret
    saved_at REAL NOT NULL
) WITHOUT ROWID;

CREATE TABLE budgets (
    scope  TEXT PRIMARY KEY,       -- an account, or the app
    record TEXT NOT NULL           -- JSON of core/budget.py
) WITHOUT ROWID;

CREATE TABLE destinations (
    name       TEXT PRIMARY KEY,   -- the label in the configuration
    identity   TEXT NOT NULL,      -- what it said it is: kind, host, guest; coverage belongs to this
    first_seen REAL NOT NULL       -- when this identity was first found under the name
) WITHOUT ROWID;

CREATE TABLE bindings (
    device      TEXT NOT NULL,
    module      TEXT NOT NULL,     -- the MAC address
    account     TEXT NOT NULL,
    module_text TEXT NOT NULL,     -- what the configuration called the module then
    since_text  TEXT NOT NULL,     -- the configured `since` that `begin` was resolved from
    begin       INTEGER NOT NULL,  -- the first moment wanted
    floor       INTEGER NOT NULL,  -- nothing below belongs to this module
    bound_at    REAL NOT NULL,
    closed_at   REAL               -- null while in force; earlier bindings are kept
);
CREATE UNIQUE INDEX binding_in_force ON bindings (device) WHERE closed_at IS NULL;

CREATE TABLE coverage (
    destination TEXT NOT NULL,     -- an identity, not a name
    device      TEXT NOT NULL,
    channel     TEXT NOT NULL,
    begin       INTEGER NOT NULL,
    "end"       INTEGER NOT NULL,  -- inclusive; the spans of a series neither overlap nor touch
    PRIMARY KEY (device, destination, channel, begin)  -- what is read is a device's
) WITHOUT ROWID;

CREATE TABLE modules (
    id         TEXT PRIMARY KEY,   -- the MAC address
    newest     INTEGER,            -- the newest row ever seen
    kept_since INTEGER NOT NULL    -- rows before this are neither kept nor compared; only ever rises
) WITHOUT ROWID;

CREATE TABLE source_rows (
    module   TEXT NOT NULL REFERENCES modules (id),
    time     INTEGER NOT NULL,
    measures TEXT NOT NULL,        -- JSON; null was fetched as null, a missing key was never fetched
    PRIMARY KEY (module, time)
) WITHOUT ROWID;

CREATE TABLE rows_aside (
    destination TEXT NOT NULL,     -- an identity, not a name
    device      TEXT NOT NULL,
    time        INTEGER NOT NULL,
    channels    TEXT NOT NULL,     -- JSON list
    "values"    TEXT NOT NULL,     -- JSON list, as `channels`
    reason      TEXT NOT NULL,     -- what the destination said
    refused_at  REAL NOT NULL,
    PRIMARY KEY (device, time, destination, channels)
) WITHOUT ROWID;

CREATE TABLE probe (
    writes INTEGER NOT NULL        -- counted up to see that the disk still takes a write
);
INSERT INTO probe VALUES (0);
