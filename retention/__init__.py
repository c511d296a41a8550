"""Cancels stale game rounds at the vendor, once each, with evidence."""
