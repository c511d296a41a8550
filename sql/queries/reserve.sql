-- New slots, and leases that reach beyond them, for claims whose slots went by unused: for as many of them as are sent soon.
WITH pace AS (
    -- include pace.sql
), wanted AS (
    SELECT partner, lane, rate, 1 / (%(spacing)s * rate) AS step,
           least(cardinality(%(ids)s::bigint[]), 1 + floor(%(lead)s * %(spacing)s * rate)) AS slots
    FROM pace
), reserved AS (
    UPDATE retention.partner_state s
    SET next_slot = greatest(s.next_slot, clock_timestamp() + make_interval(secs => %(head_start)s))
            + make_interval(secs => w.slots * w.step),
        rate = nullif(w.rate, %(rate)s), rate_at = statement_timestamp()
    FROM wanted w
    WHERE s.partner = w.partner AND s.lane = w.lane
    RETURNING
        s.next_slot - make_interval(secs => w.slots * w.step) AS first_slot, w.step, w.slots, clock_timestamp() AS at
)
UPDATE retention.cancellations c
SET lease_until = v.first_slot + make_interval(secs => (r.nth - 1) * v.step + %(lease)s)
FROM reserved v, unnest(%(ids)s::bigint[], %(uuids)s::uuid[]) WITH ORDINALITY AS r (id, uuid, nth)
WHERE c.id = r.id AND r.nth <= v.slots AND c.state = 'claimed' AND c.attempt_uuid = r.uuid
RETURNING c.id, extract(epoch FROM v.first_slot)::float8 + (r.nth - 1) * v.step AS slot, extract(epoch FROM v.at)::float8 AS at
