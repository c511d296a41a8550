-- Purpose: Finds attempts without an outcome that no claim knows. A reply that is being written needs less than an
--     hour. A question about a settled round may stay without one: no claim is for it, and its process may have died.
-- Locks: none.
-- Returns: a row per attempt.
SELECT a.uuid::text AS id, a.run_id
FROM retention.attempts a
WHERE a.outcome IS NULL
  AND a.claimed_at NOT BETWEEN statement_timestamp() - interval '1 hour' AND statement_timestamp() + interval '1 hour'
  AND NOT EXISTS (
      SELECT FROM retention.cancellations c
      WHERE c.id = a.cancellation_id AND c.state = 'claimed' AND c.attempt_uuid = a.uuid)
  AND NOT (a.kind = 'status' AND EXISTS (
      SELECT FROM retention.cancellations c WHERE c.id = a.cancellation_id AND c.settled_at IS NOT NULL))
  AND (%(run_id)s::uuid IS NULL OR a.run_id = %(run_id)s)
  AND (%(start)s::timestamptz IS NULL OR a.claimed_at >= %(start)s)
  AND (%(end)s::timestamptz IS NULL OR a.claimed_at < %(end)s)
ORDER BY a.claimed_at, a.uuid
