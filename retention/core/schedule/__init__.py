"""Schedules: their times, and the decision about the times that have come."""
