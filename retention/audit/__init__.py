"""Verifies the evidence, exports it, and erases users' ids without breaking it."""
