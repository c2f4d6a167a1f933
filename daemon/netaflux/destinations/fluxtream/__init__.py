"""Fluxtream, a server that people run themselves, as a place where rows come to rest."""
