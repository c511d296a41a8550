"""`retention check`: whether a run has all that it needs."""
