"""Builds concrete objects; no other package does."""
