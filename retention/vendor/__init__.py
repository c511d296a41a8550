"""The vendor's edge: the client that calls it, and a simulated vendor to call."""
