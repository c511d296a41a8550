-- Purpose: Reads the ledger's name in checkpoints, and since when it keeps evidence.
-- Locks: none.
-- Returns: one row.
SELECT origin, kept_since FROM retention.ledger_key
