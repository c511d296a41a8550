-- Purpose: Counts what an archive of a month would take: all but the rows of the cancellations `kept`.
-- Locks: none.
-- Returns: one row. `entries` of evidence; `unplaced` ones no checkpoint covers yet. `first_at`
--     and `last_at`: the first and the last moment that a row or entry tells of; `entries_at`: the last of an entry.
SELECT
    c.rounds, a.attempts, e.entries, e.unplaced, c.opened_from,
    least(c.first_at, e.first_at) AS first_at, greatest(c.last_at, e.last_at, a.last_at) AS last_at,
    e.last_at AS entries_at,
    ARRAY(
        SELECT run_id FROM retention.cancellations
        WHERE id BETWEEN %(first)s AND %(last)s AND id <> ALL (%(kept)s::bigint[])
        UNION
        SELECT run_id FROM retention.evidence WHERE entry_id BETWEEN %(first)s AND %(last)s AND run_id IS NOT NULL
        ORDER BY run_id
    ) AS runs
FROM (
    SELECT
        count(*) AS rounds, min(opened_at) AS opened_from, min(settled_at) AS first_at,
        greatest(max(settled_at), max(resolved_at)) AS last_at
    FROM retention.cancellations
    WHERE id BETWEEN %(first)s AND %(last)s AND id <> ALL (%(kept)s::bigint[])
) c, (
    SELECT count(*) AS attempts, max(claimed_at) AS last_at
    FROM retention.attempts
    WHERE cancellation_id BETWEEN %(first)s AND %(last)s AND cancellation_id <> 0
      AND cancellation_id <> ALL (%(kept)s::bigint[])
) a, (
    SELECT
        count(*) AS entries, count(*) FILTER (WHERE l.leaf IS NULL) AS unplaced,
        min((e.body::json ->> 'at')::timestamptz) AS first_at, max((e.body::json ->> 'at')::timestamptz) AS last_at
    FROM retention.evidence e LEFT JOIN retention.evidence_leaves l ON l.entry_id = e.entry_id
    WHERE e.entry_id BETWEEN %(first)s AND %(last)s
) e
