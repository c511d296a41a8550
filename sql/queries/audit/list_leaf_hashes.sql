-- Purpose: Lists the hashes of the tree's first `size` leaves.
-- Locks: none.
-- Returns: a row per leaf, in order.
SELECT hash FROM retention.evidence_leaves WHERE leaf < %(size)s ORDER BY leaf
