"""Each command as a function of the app that yields events, for the command line and the socket alike.

Nothing is imported here: the command line that only asks the daemon takes `words` and leaves the rest alone.
"""
