-- Purpose: Tells which leaves a month's entries of evidence have.
-- Locks: none.
-- Returns: one row, with the first and the last one; NULLs where there is no entry.
SELECT min(leaf) AS first, max(leaf) AS last
FROM retention.evidence_leaves
WHERE entry_id BETWEEN %(first)s AND %(last)s
