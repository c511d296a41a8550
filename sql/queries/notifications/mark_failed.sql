-- Purpose: Records that a try failed, unless a newer try has begun.
-- Locks: the delivery, until the commit.
-- Returns: nothing.
UPDATE retention.deliveries
SET last_error = %(problem)s, due_at = statement_timestamp() + make_interval(secs => %(pause)s)
WHERE notification_id = %(notification_id)s AND target = %(target)s AND tries = %(tries)s AND due_at IS NOT NULL
