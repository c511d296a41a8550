-- Purpose: Lists the places of a run's entries within the tree's first `size` leaves.
-- Locks: none.
-- Returns: a row per entry that has such a place.
SELECT l.leaf
FROM retention.evidence e JOIN retention.evidence_leaves l ON l.entry_id = e.entry_id
WHERE e.run_id = %(run_id)s AND l.leaf < %(size)s
