"""A run's figures, pauses, next steps and ids."""
