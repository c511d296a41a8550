"""Which rounds a run is about, and the rails that stop it before its first call."""
