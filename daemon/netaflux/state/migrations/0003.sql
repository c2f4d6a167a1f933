CREATE TABLE notices (
    kind    TEXT NOT NULL,         -- what it is about, a word of core/notices.py
    subject TEXT NOT NULL,         -- an account, a device, a module's id, …: of each matter one notice at most
    record  TEXT NOT NULL,         -- JSON of core/notices.py: its words, and which channels have told it
    PRIMARY KEY (kind, subject)
) WITHOUT ROWID;
