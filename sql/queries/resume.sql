UPDATE retention.pauses
SET resumed_by = %(by)s, resumed_at = statement_timestamp()
WHERE partner IS NOT DISTINCT FROM %(partner)s AND resumed_at IS NULL
RETURNING pause_id
