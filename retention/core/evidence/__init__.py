"""Comparison of ledger, vendor and operator for one round."""
