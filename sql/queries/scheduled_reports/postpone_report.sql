-- Purpose: Gives a report back that could not be made, for a later try. `counted` is false where the try is not its
--     fault.
-- Locks: the report, until the commit.
-- Returns: nothing.
UPDATE retention.reports
SET status = 'planned', due_at = statement_timestamp() + make_interval(secs => %(pause)s),
    tries = tries - CASE WHEN %(counted)s THEN 0 ELSE 1 END, problem = coalesce(%(problem)s, problem)
WHERE report_id = %(report_id)s AND status = 'writing' AND replica = %(replica)s AND tries = %(tries)s
