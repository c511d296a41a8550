-- Purpose: Lists the covered rows of a run as the texts that evidence hashes.
-- Locks: none.
-- Returns: a row per run, cancellation and attempt, in that order.
SELECT subject, id, text
FROM (
    SELECT 1 AS nth, 'run' AS subject, r.run_id::text AS id,
        -- include shared/run_text.sql
        AS text
    FROM retention.runs r WHERE r.run_id = %(run_id)s
    UNION ALL
    SELECT 2, 'cancellation', c.id::text,
        -- include shared/cancellation_text.sql
    FROM retention.cancellations c CROSS JOIN retention.ledger_key k
    WHERE c.run_id = %(run_id)s AND c.settled_at IS NOT NULL
    UNION ALL
    SELECT 3, 'attempt', a.uuid::text,
        -- include shared/attempt_text.sql
    FROM retention.attempts a WHERE a.run_id = %(run_id)s AND a.outcome IS NOT NULL
) covered
ORDER BY nth, id
