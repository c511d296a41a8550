"""Tells people what they must know, by signed webhooks and through apprise."""
