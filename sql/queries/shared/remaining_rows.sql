-- Fragment, as CTEs: `leaves_by_run` has the rows that are recorded anew because entries of a month leave: see
-- record_remaining.sql.

-- The rows that leave.
leaving AS (
    SELECT 'cancellation' AS subject, c.id::text AS id, c.run_id
    FROM retention.cancellations c
    WHERE c.id BETWEEN %(first)s AND %(last)s AND c.id <> ALL (%(kept)s::bigint[])
    UNION ALL
    SELECT 'attempt', a.uuid::text, a.run_id
    FROM retention.attempts a
    WHERE a.cancellation_id BETWEEN %(first)s AND %(last)s AND a.cancellation_id <> 0
      AND a.cancellation_id <> ALL (%(kept)s::bigint[])
),

-- The runs whose entries can name a row that leaves, or are named by an entry that does.
concerned AS (
    SELECT run_id FROM leaving
    UNION
    SELECT run_id FROM retention.evidence WHERE entry_id BETWEEN %(first)s AND %(last)s
),

-- What the evidence says of each row that such entries name, by the newest of them.
newest AS (
    SELECT
        subject, id,
        (array_agg(hash ORDER BY leaf DESC NULLS FIRST, entry_id DESC))[1] AS hash,
        (array_agg(kind ORDER BY leaf DESC NULLS FIRST, entry_id DESC))[1] AS kind,
        (array_agg(run_id ORDER BY leaf DESC NULLS FIRST, entry_id DESC))[1] AS run_id,
        (array_agg(entry_id ORDER BY leaf DESC NULLS FIRST, entry_id DESC))[1] BETWEEN %(first)s AND %(last)s AS goes,
        bool_or(entry_id NOT BETWEEN %(first)s AND %(last)s) AS named_elsewhere
    FROM (
        -- include shared/evidence_rows.sql
          AND (e.run_id IS NULL OR e.run_id IN (SELECT run_id FROM concerned))
    ) e
    GROUP BY subject, id
),

-- Whether each of them is in the ledger once the month has left.
judged AS (
    SELECT
        n.*, g.id IS NOT NULL AS leaves,
        g.id IS NULL AND (n.goes OR n.kind = 'left') AND CASE n.subject
            WHEN 'cancellation' THEN EXISTS (SELECT FROM retention.cancellations c WHERE c.id = n.id::bigint)
            WHEN 'attempt' THEN EXISTS (SELECT FROM retention.attempts a WHERE a.uuid = n.id::uuid)
            WHEN 'run' THEN EXISTS (SELECT FROM retention.runs r WHERE r.run_id = n.id::uuid)
            WHEN 'hold' THEN EXISTS (SELECT FROM retention.holds h WHERE h.hold_id = n.id::bigint)
            WHEN 'pause' THEN EXISTS (SELECT FROM retention.pauses p WHERE p.pause_id = n.id::bigint)
            WHEN 'archive' THEN EXISTS (SELECT FROM retention.archives v WHERE v.name = n.id)
        END AS stays
    FROM newest n LEFT JOIN leaving g ON g.subject = n.subject AND g.id = n.id
),

-- What is recorded anew.
leaves_by_run AS (
    SELECT j.run_id, j.subject, j.id, j.hash
    FROM judged j
    WHERE CASE %(kind)s::text
        WHEN 'kept' THEN j.goes AND j.stays
        ELSE j.named_elsewhere AND ((j.leaves AND (j.kind <> 'left' OR j.goes))
                                    OR (j.kind = 'left' AND j.goes AND NOT j.stays)) END
)
