"""A run from its request to its result: scope, plan, start, resume and close."""
