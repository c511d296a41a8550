-- Purpose: Gives new slots, and leases that reach beyond them, to claims whose slots went by unused: to as many of them
--     as can be sent while the claim's look at the operator's view is young.
-- Locks: the partner's slots, the claimed rows.
-- Returns: id, slot and the database's time (Unix seconds) for each claim that got a slot.
WITH

-- All of the given claims want one.
wanted AS (
    SELECT cardinality(%(ids)s::bigint[])::bigint AS rounds
),

-- include shared/slot_reservation.sql

UPDATE retention.cancellations c
SET lease_until = v.first_slot + make_interval(secs => (r.nth - 1) * v.step + %(lease)s)
FROM reserved v, unnest(%(ids)s::bigint[], %(uuids)s::uuid[]) WITH ORDINALITY AS r (id, uuid, nth)
WHERE c.id = r.id AND r.nth <= v.slots AND c.state = 'claimed' AND c.attempt_uuid = r.uuid
RETURNING
    c.id, extract(epoch FROM v.first_slot)::float8 + (r.nth - 1) * v.step AS slot,
    extract(epoch FROM v.at)::float8 AS at
