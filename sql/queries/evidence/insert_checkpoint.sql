-- Purpose: Records a checkpoint. `placed_before` is the first transaction that was still open, before the entries were
--     looked for.
-- Locks: none; the caller holds the lock of checkpoints.
-- Returns: its number.
INSERT INTO retention.checkpoints (size, root, signature, frontier, placed_before, server)
VALUES (%(size)s, %(root)s, %(signature)s, %(frontier)s, %(placed_before)s::text::xid8, %(server)s)
RETURNING checkpoint_id
