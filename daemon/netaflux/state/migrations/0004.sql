CREATE TABLE rescues (
    aside  TEXT PRIMARY KEY,   -- where the damaged file lies, in the state directory
    reason TEXT NOT NULL,      -- what was wrong with it
    saved  TEXT NOT NULL,      -- JSON: how many rows of each table were carried over
    lost   TEXT NOT NULL       -- JSON: the tables of which something was not
) WITHOUT ROWID;
