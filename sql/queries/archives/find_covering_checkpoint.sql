-- Purpose: Finds the first checkpoint that covers so many leaves.
-- Locks: none.
-- Returns: it, with the ledger's name as `origin`; no row where none does.
SELECT k.origin, c.checkpoint_id, c.size, c.root, c.signature
FROM retention.checkpoints c, retention.ledger_key k
WHERE c.size >= %(size)s
ORDER BY c.size, c.checkpoint_id LIMIT 1
