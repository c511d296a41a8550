-- Purpose: Gives new slots, and leases that reach beyond them, to claims whose slots went by unused: to as many of them
--     as can be sent while the claim's look at the operator's view is young.
-- Locks: the partner's slots, its rate group's, the claimed rows.
-- Returns: id, slot and the database's time (Unix seconds) for each claim that got a slot.
WITH

-- All of the given claims want one.
wanted AS (
    SELECT cardinality(%(ids)s::bigint[])::bigint AS rounds
),

-- include shared/slot_reservation.sql

UPDATE retention.cancellations c
SET lease_until = g.slot + make_interval(secs => %(lease)s)
FROM reserved v, given g, unnest(%(ids)s::bigint[], %(uuids)s::uuid[]) WITH ORDINALITY AS r (id, uuid, nth)
WHERE c.id = r.id AND c.id >= %(first_id)s AND r.nth = g.nth AND c.state = 'claimed' AND c.attempt_uuid = r.uuid
RETURNING c.id, extract(epoch FROM g.slot)::float8 AS slot, extract(epoch FROM v.at)::float8 AS at
