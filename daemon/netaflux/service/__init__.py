"""The daemon's life: bells ring, rounds run in tasks of our own, a signal ends it with nothing half done."""
