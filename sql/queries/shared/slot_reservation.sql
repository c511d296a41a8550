-- Fragment, as CTEs up to `reserved`: send slots for the first of `wanted.rounds` rounds, evenly spaced at the
-- partner's current rate, behind the slots of other claims. Only slots that begin within `horizon` seconds are given.
-- One text for all statements: a copy for probes once forgot that a halved rate recovers.

-- Locks the partner's row first, so that slots taken during a wait for it count.
locked AS (
    SELECT s.partner, s.kind, s.next_slot, s.rate, s.rate_at
    FROM retention.partner_state s
    WHERE s.partner = %(partner)s AND s.kind = %(kind)s AND (SELECT rounds FROM wanted) > 0
    FOR UPDATE
),

-- After a throttle the rate is below the configured one, and grows back with time.
paced AS MATERIALIZED (
    SELECT
        partner, kind, clock_timestamp() AS at, next_slot,
        least(%(rate)s::float8, coalesce(rate, %(rate)s)
            + %(rate)s * %(recovery)s * greatest(0, extract(epoch FROM statement_timestamp() - rate_at))) AS rate
    FROM locked
),

-- The first slot lies `head_start` seconds ahead: the process needs that long to read the answer.
offered AS (
    SELECT
        p.*, 1 / (%(spacing)s * p.rate) AS step,
        greatest(p.next_slot, p.at + make_interval(secs => %(head_start)s)) AS first_slot
    FROM paced p
),

-- As many slots as begin within the horizon.
granted AS (
    SELECT
        o.*,
        greatest(0, least(w.rounds, 1 + floor(
            extract(epoch FROM statement_timestamp() + make_interval(secs => %(horizon)s) - o.first_slot)::float8
            / o.step)))::integer AS slots
    FROM offered o, wanted w
),

-- Moves the partner's next slot behind them.
reserved AS (
    UPDATE retention.partner_state s
    SET next_slot = g.first_slot + make_interval(secs => g.slots * g.step),
        rate = nullif(g.rate, %(rate)s), rate_at = statement_timestamp()
    FROM granted g
    WHERE s.partner = g.partner AND s.kind = g.kind
    RETURNING g.first_slot, g.step, g.slots, g.at
)
