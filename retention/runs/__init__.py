"""A run from its request to its result: which rounds it is about, its plan, its start and its end."""
