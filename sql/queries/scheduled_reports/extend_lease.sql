-- Purpose: Extends the lease of a report that this process writes.
-- Locks: the report, until the commit.
-- Returns: nothing; the count is 0 where another process has the report.
UPDATE retention.reports
SET due_at = statement_timestamp() + make_interval(secs => %(lease)s)
WHERE report_id = %(report_id)s AND status = 'writing' AND replica = %(replica)s AND tries = %(tries)s
