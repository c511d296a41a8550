-- Purpose: Lists the bodies of all entries, to find the ones that no statement has written.
-- Locks: none.
-- Returns: a row per entry.
SELECT e.entry_id, l.leaf, e.run_id, e.body
FROM retention.evidence e LEFT JOIN retention.evidence_leaves l ON l.entry_id = e.entry_id
ORDER BY e.entry_id
