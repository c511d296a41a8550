-- New slots, and leases that reach beyond them, for claims whose slots went by unused.
WITH reserved AS (
    UPDATE retention.partner_state s
    SET next_slot = greatest(s.next_slot, clock_timestamp())
            + make_interval(secs => cardinality(%(ids)s::bigint[]) / (%(spacing)s * coalesce(s.rate, %(rate)s)))
    WHERE s.partner = %(partner)s AND s.lane = %(lane)s
    RETURNING
        s.next_slot - make_interval(
            secs => cardinality(%(ids)s::bigint[]) / (%(spacing)s * coalesce(s.rate, %(rate)s))) AS first_slot,
        1 / (%(spacing)s * coalesce(s.rate, %(rate)s)) AS step,
        clock_timestamp() AS at
)
UPDATE retention.cancellations c
SET lease_until = v.first_slot + make_interval(secs => (r.nth - 1) * v.step + %(lease)s)
FROM reserved v, unnest(%(ids)s::bigint[], %(uuids)s::uuid[]) WITH ORDINALITY AS r (id, uuid, nth)
WHERE c.id = r.id AND c.state = 'claimed' AND c.attempt_uuid = r.uuid
RETURNING c.id, extract(epoch FROM v.first_slot - v.at)::float8 + (r.nth - 1) * v.step AS until_slot
