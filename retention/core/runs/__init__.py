"""The summary, pauses, next steps and ids of a run."""
