"""The database part of `retention check`."""
