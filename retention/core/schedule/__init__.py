"""Schedules: when a time is due, and which of the due times is run."""
