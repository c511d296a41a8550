"""Notifications: their events, their message, and its signature."""
