-- The target has it. That stands, whoever else has tried it meanwhile.
UPDATE retention.deliveries
SET delivered_at = statement_timestamp(), due_at = NULL, last_error = NULL
WHERE notification_id = %(notification_id)s AND target = %(target)s AND delivered_at IS NULL
