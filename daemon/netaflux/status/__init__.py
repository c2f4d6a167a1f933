"""How the daemon is doing: the snapshot, the Unix socket's server and its client."""
