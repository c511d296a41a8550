-- Leases that lie farther ahead than a claim of this moment reaches: the claims' processes are given that long, and then
-- count as gone. None of them ends at once, as its request may be in flight.
WITH far AS (
    SELECT c.id, c.lease_until AS was
    FROM retention.cancellations c
    WHERE c.partner = %(partner)s AND (c.run_id = ANY (%(run_ids)s::uuid[]) OR c.needs_follow_up) AND c.state = 'claimed'
      AND c.lease_until > statement_timestamp() + make_interval(secs => %(lease)s::float8 + %(limit)s::float8)
    FOR UPDATE SKIP LOCKED
)
UPDATE retention.cancellations c
SET lease_until = statement_timestamp() + make_interval(secs => %(lease)s)
FROM far WHERE c.id = far.id
RETURNING 'round ' || c.partner || '/' || c.round_id AS row, 'lease_until' AS column, far.was, c.lease_until AS now
