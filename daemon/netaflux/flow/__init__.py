"""The work in terms of ports: a page's way to the destinations, an errand, a poll, a span of the past."""
