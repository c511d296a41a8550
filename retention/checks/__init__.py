"""`retention check`: whether everything is in place for a run."""
