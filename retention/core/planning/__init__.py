"""The rounds of a run, and the rails that halt it before its first call."""
