"""Requests and replies: wire format, pacing, the check before sending, and the transitions after a reply."""
