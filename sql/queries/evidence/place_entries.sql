-- Purpose: Gives entries of evidence their places in the tree, from the place `size` on, and at most `limit` of them.
--     Only entries of transactions from `placed_before` on (NULL: all) may lack one.
-- Locks: none; the caller holds the lock of checkpoints.
-- Returns: the hash of each new leaf, in order.
WITH

-- Entries without a place.
unplaced AS (
    SELECT e.entry_id, e.body
    FROM retention.evidence e
    WHERE e.written_by >= coalesce(%(placed_before)s::text, '0')::xid8
      AND NOT EXISTS (SELECT FROM retention.evidence_leaves l WHERE l.entry_id = e.entry_id)
    ORDER BY e.entry_id LIMIT %(limit)s
),

-- Their leaves.
placed AS (
    INSERT INTO retention.evidence_leaves (leaf, entry_id, hash)
    SELECT
        %(size)s::bigint + row_number() OVER (ORDER BY u.entry_id) - 1, u.entry_id,
        sha256(decode('00', 'hex') || convert_to(u.body, 'UTF8'))
    FROM unplaced u
    RETURNING leaf, hash
)

SELECT hash FROM placed ORDER BY leaf
