-- Purpose: Records that a target has accepted a delivery. That stands, even if another try has failed.
-- Locks: the delivery, until the commit.
-- Returns: nothing.
UPDATE retention.deliveries
SET delivered_at = statement_timestamp(), due_at = NULL, last_error = NULL
WHERE notification_id = %(notification_id)s AND target = %(target)s AND delivered_at IS NULL
