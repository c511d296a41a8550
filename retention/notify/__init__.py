"""Delivers notifications, by signed webhooks and through apprise."""
