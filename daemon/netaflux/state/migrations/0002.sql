CREATE TABLE looks (
    module TEXT PRIMARY KEY REFERENCES modules (id),
    record TEXT NOT NULL           -- JSON of core/lookback.py: when the past was looked at again, and gaps
) WITHOUT ROWID;
