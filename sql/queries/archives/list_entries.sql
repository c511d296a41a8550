-- Purpose: Lists a month's entries of evidence.
-- Locks: none.
-- Returns: a row per entry, in the order of the tree; `fits`: its text has its leaf's hash.
SELECT
    l.leaf, e.entry_id, e.run_id::text AS run_id, e.replica, e.kind, e.body,
    (sha256(decode('00', 'hex') || convert_to(e.body, 'UTF8')) = l.hash) IS TRUE AS fits
FROM retention.evidence e LEFT JOIN retention.evidence_leaves l ON l.entry_id = e.entry_id
WHERE e.entry_id BETWEEN %(first)s AND %(last)s
ORDER BY l.leaf, e.entry_id
