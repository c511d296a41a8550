-- Purpose: Records that a report is made, if this process still has it. Its file is renamed before the commit, so that
--     no other process can make the report meanwhile.
-- Locks: the report, until the commit.
-- Returns: a row where this process still has it.
UPDATE retention.reports
SET status = 'made', made_at = statement_timestamp(), due_at = NULL, problem = NULL, file = %(file)s,
    file_sha256 = %(file_sha256)s, rows = %(rows)s, totals = %(totals)s, checkpoint = %(checkpoint)s
WHERE report_id = %(report_id)s AND status = 'writing' AND replica = %(replica)s AND tries = %(tries)s
RETURNING report_id
