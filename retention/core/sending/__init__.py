"""Requests and replies: wire format, pacing, the last check before sending, what a reply leads to."""
