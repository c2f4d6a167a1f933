"""Telling people: by a URL, by a command, and by a sign of life that ceases."""
