"""What must survive: one SQLite file, one connection, one thread."""
