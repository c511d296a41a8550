"""Notifications: which events people are told, the message, and its signature."""
