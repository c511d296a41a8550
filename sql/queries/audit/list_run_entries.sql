-- Purpose: Lists a run's entries of evidence. An entry names rows of one run alone.
-- Locks: none.
-- Returns: a row per entry in the order of the tree; entries without a place come last.
SELECT e.entry_id, l.leaf, e.body
FROM retention.evidence e LEFT JOIN retention.evidence_leaves l ON l.entry_id = e.entry_id
WHERE e.run_id = %(run_id)s
ORDER BY l.leaf, e.entry_id
