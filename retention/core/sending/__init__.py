"""Requests and replies: wire format, pacing, the last check before sending, and the transitions after a reply."""
