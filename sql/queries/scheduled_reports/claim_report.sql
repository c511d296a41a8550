-- Purpose: Claims the next report that is to be made, for as long as its lease. A maker that died loses it to another
--     process when its lease ends; the report keeps its id.
-- Locks: the report, those of others are skipped.
-- Returns: the report, or no row.
WITH due AS (
    SELECT p.report_id
    FROM retention.reports p
    WHERE
        -- include shared/due_report.sql
    ORDER BY p.due_at
    LIMIT 1
    FOR NO KEY UPDATE SKIP LOCKED
)

UPDATE retention.reports p
SET status = 'writing', replica = %(replica)s, tries = p.tries + 1,
    due_at = statement_timestamp() + make_interval(secs => %(lease)s)
FROM due
WHERE p.report_id = due.report_id
RETURNING p.report_id, p.name, p.scheduled_for, p.period, p.period_start, p.period_end, p.settings, p.tries, p.problem
