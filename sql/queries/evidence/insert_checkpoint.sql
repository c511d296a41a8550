-- Purpose: Records a checkpoint. `placed_before` is the first transaction that was still open, before the entries were
--     looked for. `frontier` has hexadecimal texts: how a driver quotes bytes depends on the server's string syntax.
-- Locks: none; the caller holds the lock of checkpoints.
-- Returns: its number.
INSERT INTO retention.checkpoints (size, root, signature, frontier, placed_before, server)
SELECT
    %(size)s, %(root)s, %(signature)s, array_agg(decode(f.hash, 'hex') ORDER BY f.nth), %(placed_before)s::text::xid8,
    %(server)s
FROM unnest(%(frontier)s::text[]) WITH ORDINALITY AS f (hash, nth)
RETURNING checkpoint_id
