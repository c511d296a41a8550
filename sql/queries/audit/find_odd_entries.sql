-- Purpose: Finds entries with columns that do not repeat their body, or without a place that later entries have.
-- Locks: none.
-- Returns: one row without an entry and with the number of entries that still have no place; a row per odd entry.
WITH

-- A checkpoint places every entry that it sees. An entry that is much older was not there, or has lost its place.
newest AS (
    SELECT max(at) - interval '15 minutes' AS placed_before FROM retention.checkpoints
),

-- Each entry, read.
entries AS (
    SELECT
        e.entry_id, e.run_id, l.leaf,
        (e.run_id::text, e.replica, e.kind) IS DISTINCT FROM (b.run, b.replica, b.kind) AS columns_differ,
        (l.leaf IS NULL AND b.at < (SELECT placed_before FROM newest)) IS TRUE AS left_behind
    FROM retention.evidence e
    LEFT JOIN retention.evidence_leaves l ON l.entry_id = e.entry_id
    CROSS JOIN LATERAL json_to_record(e.body::json) AS b (run text, replica text, kind text, at timestamptz)
    WHERE e.entry_id <> ALL (%(unreadable)s::bigint[])
)

SELECT NULL AS entry_id, NULL AS run_id, NULL AS leaf, false AS columns_differ, false AS left_behind,
       count(*) FILTER (WHERE leaf IS NULL) AS unplaced
FROM entries
UNION ALL
SELECT entry_id, run_id, leaf, columns_differ, left_behind, NULL
FROM entries
WHERE columns_differ OR left_behind
ORDER BY entry_id NULLS FIRST
