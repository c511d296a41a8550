-- Purpose: Lists the tree's leaves in order, each beside its entry.
-- Locks: none.
-- Returns: a row per leaf; `found`: its entry is there; `fits`: the entry's body has the leaf's hash; `archived`: the
--     entry is gone, and an archive with fitting evidence holds it.
WITH

-- The archives with entries.
holding AS MATERIALIZED (
    SELECT v.first_id, v.last_id
    FROM (
        -- include shared/recorded_archives.sql
    ) v
    WHERE v.entries IS NOT NULL
)

SELECT
    l.leaf, l.entry_id, coalesce(l.hash, ''::bytea) AS hash, e.entry_id IS NOT NULL AS found,
    (sha256(decode('00', 'hex') || convert_to(e.body, 'UTF8')) = l.hash) IS TRUE AS fits,
    e.entry_id IS NULL AND EXISTS (
        SELECT FROM holding h WHERE l.entry_id BETWEEN h.first_id AND h.last_id) AS archived
FROM retention.evidence_leaves l LEFT JOIN retention.evidence e ON e.entry_id = l.entry_id
ORDER BY l.leaf
