"""Claim, send, settle: loops joined by bounded queues, so that memory does not grow with the number of rounds."""
