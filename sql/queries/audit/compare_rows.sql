-- Purpose: Compares each covered row with the newest hash that evidence has of it. `start` and `end` are of the row's
--     own time, else of the entry's.
-- Locks: none.
-- Returns: a row per subject that fits, that is older than all evidence, or that is archived, with the number of its
--     rows; a row per row that does not fit, in the order of the entries.
WITH

-- The hashes of each row in evidence, in the order of the tree. Entries that have no place yet are the newest.
recorded AS (
    SELECT
        subject, id,
        array_agg(hash ORDER BY leaf, entry_id) AS hashes, array_agg(kind ORDER BY leaf, entry_id) AS kinds,
        (array_agg(entry_id ORDER BY leaf DESC NULLS FIRST, entry_id DESC))[1] AS entry_id,
        (array_agg(leaf ORDER BY leaf DESC NULLS FIRST, entry_id DESC))[1] AS leaf,
        (array_agg(run_id ORDER BY leaf DESC NULLS FIRST, entry_id DESC))[1] AS run_id
    FROM (
        -- include shared/evidence_rows.sql
    ) e
    GROUP BY subject, id
),

-- The archives whose own evidence fits.
holding AS MATERIALIZED (
    -- include shared/recorded_archives.sql
),

-- Since when each row has evidence: never later than the first entry, even if the key names a later time. NULL: always.
-- The first entry may be archived; an archive of the time before the months tells of rows that had no evidence yet.
begun AS (
    SELECT CASE WHEN k.kept_since IS NOT NULL THEN least(
        k.kept_since, (SELECT min(v.first_at) FROM retention.archives v WHERE v.month <> 'before'),
        (SELECT (e.body::json ->> 'at')::timestamptz FROM retention.evidence e
         WHERE e.entry_id <> ALL (%(unreadable)s::bigint[])
         ORDER BY e.entry_id LIMIT 1)) END AS at
    FROM retention.ledger_key k
),

-- The rows as they are. `exempt`: they belong to a time that had no evidence.
covered AS (
    SELECT 'run' AS subject, r.run_id::text AS id, r.run_id, r.as_of AS at, coalesce(r.as_of < b.at, false) AS exempt,
        -- include shared/run_leaf.sql
        AS hash
    FROM retention.runs r CROSS JOIN begun b
    UNION ALL
    SELECT 'cancellation', c.id::text, c.run_id, coalesce(c.resolved_at, c.settled_at),
        coalesce(r.as_of < b.at, false),
        -- include shared/cancellation_leaf.sql
    FROM retention.cancellations c LEFT JOIN retention.runs r ON r.run_id = c.run_id
    CROSS JOIN retention.ledger_key k CROSS JOIN begun b
    WHERE c.settled_at IS NOT NULL
    UNION ALL
    SELECT 'attempt', a.uuid::text, a.run_id, a.claimed_at, coalesce(r.as_of < b.at, false),
        -- include shared/attempt_leaf.sql
    FROM retention.attempts a LEFT JOIN retention.runs r ON r.run_id = a.run_id CROSS JOIN begun b
    WHERE a.outcome IS NOT NULL
    UNION ALL
    SELECT 'hold', h.hold_id::text, NULL, h.created_at, coalesce(h.created_at < b.at, false),
        -- include shared/hold_leaf.sql
    FROM retention.holds h CROSS JOIN retention.ledger_key k CROSS JOIN begun b
    UNION ALL
    SELECT 'pause', p.pause_id::text, NULL, p.paused_at, coalesce(p.paused_at < b.at, false),
        -- include shared/pause_leaf.sql
    FROM retention.pauses p CROSS JOIN begun b
    UNION ALL
    SELECT 'archive', v.name, NULL, v.archived_at, false,
        -- include shared/archive_leaf.sql
    FROM retention.archives v
),

-- Both sides of each row, and their difference.
compared AS (
    SELECT
        coalesce(c.subject, e.subject) AS subject, coalesce(c.id, e.id) AS id, coalesce(c.run_id, e.run_id) AS run_id,
        c.at, e.entry_id, e.leaf,
        CASE
            -- A row that is there, and is covered no longer, has lost its outcome.
            WHEN c.id IS NULL THEN CASE WHEN
                (e.subject = 'cancellation' AND EXISTS (
                    SELECT FROM retention.cancellations x WHERE x.id = substring(e.id FROM '^[0-9]{1,18}$')::bigint))
                OR (e.subject = 'attempt' AND EXISTS (
                    SELECT FROM retention.attempts x WHERE x.uuid = substring(e.id FROM '^[0-9a-f-]{36}$')::uuid))
                THEN 'row_changed'
                -- An archive said that it left, and holds it.
                WHEN e.kinds[cardinality(e.kinds)] = 'left' AND EXISTS (
                    SELECT FROM retention.evidence x JOIN holding h ON h.name = x.body::json -> 'facts' ->> 'archive'
                    WHERE x.entry_id = e.entry_id) THEN 'archived'
                -- Its archive is recorded, and the entries are about to follow it.
                WHEN EXISTS (
                    SELECT FROM holding h
                    WHERE h.entries IS NOT NULL AND e.entry_id BETWEEN h.first_id AND h.last_id) THEN 'archived'
                ELSE 'row_missing' END
            WHEN e.id IS NULL THEN CASE WHEN c.exempt THEN 'exempt' ELSE 'row_unrecorded' END
            WHEN c.hash <> e.hashes[cardinality(e.hashes)] THEN 'row_changed'
            -- Settled once, a cancellation is changed by a person's decision or a later closing alone.
            WHEN c.subject = 'cancellation' AND cardinality(e.hashes) > 1 AND EXISTS (
                SELECT FROM generate_series(2, cardinality(e.hashes)) AS nth
                WHERE e.hashes[nth] <> e.hashes[nth - 1] AND e.kinds[nth] <> ALL (%(later_kinds)s::text[])
            ) THEN 'settled_twice'
            ELSE 'fits'
        END AS verdict
    FROM covered c FULL JOIN recorded e ON e.subject = c.subject AND e.id = c.id
)

SELECT
    c.verdict, c.subject, one.id, one.run_id, one.entry_id, one.leaf, count(*) AS rows
FROM compared c
CROSS JOIN LATERAL (
    SELECT c.id, c.run_id, c.entry_id, c.leaf WHERE c.verdict NOT IN ('fits', 'exempt', 'archived')
    UNION ALL
    SELECT NULL, NULL, NULL, NULL WHERE c.verdict IN ('fits', 'exempt', 'archived')
) one
LEFT JOIN retention.evidence e ON e.entry_id = one.entry_id AND c.at IS NULL
WHERE (%(run_id)s::uuid IS NULL OR c.run_id = %(run_id)s)
  AND (%(start)s::timestamptz IS NULL OR coalesce(c.at, (e.body::json ->> 'at')::timestamptz) >= %(start)s)
  AND (%(end)s::timestamptz IS NULL OR coalesce(c.at, (e.body::json ->> 'at')::timestamptz) < %(end)s)
GROUP BY c.verdict, c.subject, one.id, one.run_id, one.entry_id, one.leaf
ORDER BY one.entry_id, c.subject, one.id
