-- Purpose: Shortens leases that lie farther ahead than a claim of this moment reaches, to a whole lease from now. None
--     of them ends at once, since its request may be in flight.
-- Locks: the claimed rows, those of others are skipped.
-- Returns: a row per corrected time.
WITH

-- Such leases, with the time that they had.
far AS (
    SELECT f.*
    FROM
        -- include shared/claimed_blocks.sql
        b
    CROSS JOIN LATERAL (
        SELECT c.id, c.lease_until AS was
        FROM retention.cancellations c
        WHERE c.partner = %(partner)s AND c.run_id = b.run_id AND c.id BETWEEN b.first AND b.last
          AND c.state = 'claimed' AND NOT c.needs_follow_up
          AND c.lease_until > statement_timestamp() + make_interval(secs => %(lease)s::float8 + %(limit)s::float8)
        FOR UPDATE OF c SKIP LOCKED
    ) f
    UNION ALL
    SELECT g.*
    FROM (
        SELECT c.id, c.lease_until AS was
        FROM retention.cancellations c
        WHERE c.partner = %(partner)s AND c.state = 'claimed' AND c.needs_follow_up
          AND c.lease_until > statement_timestamp() + make_interval(secs => %(lease)s::float8 + %(limit)s::float8)
        FOR UPDATE OF c SKIP LOCKED
    ) g
)

UPDATE retention.cancellations c
SET lease_until = statement_timestamp() + make_interval(secs => %(lease)s)
FROM far WHERE c.id = far.id
RETURNING 'round' AS row, ARRAY[c.partner, c.round_id] AS key, 'lease_until' AS column, far.was, c.lease_until AS now
