-- Purpose: Tells of each of these reports whether the newest one that has come to an end could not be made.
-- Locks: none.
-- Returns: a row per report.
SELECT n.name, coalesce(newest.failed, false) AS failed
FROM unnest(%(names)s::text[]) AS n (name)
LEFT JOIN LATERAL (
    SELECT r.status = 'failed' AS failed
    FROM retention.reports r
    WHERE r.name = n.name AND r.status IN ('made', 'failed')
    ORDER BY r.scheduled_for DESC
    LIMIT 1
) newest ON true
