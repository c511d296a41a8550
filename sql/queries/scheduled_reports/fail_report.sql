-- Purpose: Records that a report is given up: people are notified.
-- Locks: the report, until the commit.
-- Returns: nothing.
UPDATE retention.reports
SET status = 'failed', due_at = NULL, problem = %(problem)s
WHERE report_id = %(report_id)s AND status = 'writing' AND replica = %(replica)s AND tries = %(tries)s
