"""Read models: a report, a round's history, a run. Each is read from the ledger and shown by render."""
