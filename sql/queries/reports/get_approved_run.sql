-- Purpose: Finds the last approved run of a policy before another run. An approval that a rejection took back is none.
-- Locks: none.
-- Returns: its row, or none.
SELECT r.run_id, r.as_of, r.approved_by, r.approved_at, r.settings
FROM retention.runs r
WHERE r.policy = %(policy)s AND r.as_of < %(as_of)s AND r.approved_at IS NOT NULL AND r.rejected_at IS NULL
ORDER BY r.as_of DESC
LIMIT 1
