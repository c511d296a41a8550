"""More than one process at work on a run: the first one plans, decides and reports; its helpers send with it."""
