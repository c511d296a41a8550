-- Purpose: Reads the newest checkpoint.
-- Locks: none.
-- Returns: it, with the ledger's name as `origin`; no row before the first one.
SELECT k.origin, c.checkpoint_id, c.size, c.root, c.signature
FROM retention.checkpoints c, retention.ledger_key k
ORDER BY c.checkpoint_id DESC LIMIT 1
