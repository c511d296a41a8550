-- Purpose: Lists reports for which a notification may be due.
-- Locks: none.
-- Returns: a row per report, oldest first, each with the time.
SELECT
    statement_timestamp() AS now,
    p.report_id, p.name, p.scheduled_for, p.status, p.period, p.settings, p.file, p.file_sha256, p.rows, p.totals,
    p.checkpoint, p.problem
FROM retention.reports p
WHERE
    -- include shared/notifiable_report.sql
ORDER BY p.scheduled_for
LIMIT %(limit)s
