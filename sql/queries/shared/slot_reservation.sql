-- Fragment, as CTEs up to `reserved` and `given`: send slots for the first of `wanted.rounds` rounds, at the partner's
-- current rate, behind the slots of other claims. `given` has the slots by number, `reserved` one row about them. Only
-- slots that begin within `horizon` seconds are given. In a rate group each slot is also one of the group's.
-- One text for all statements: a copy for probes once forgot that a halved rate recovers.

-- Locks the partner's row first, so that slots taken during a wait for it count.
locked AS (
    SELECT s.partner, s.kind, s.next_slot, s.rate, s.rate_at, s.share_until
    FROM retention.partner_state s
    WHERE s.partner = %(partner)s AND s.kind = %(kind)s AND (SELECT rounds FROM wanted) > 0
    FOR UPDATE
),

-- A group that the ledger does not have yet, or has lost, gives its first slot to the next claim.
made_group AS (
    INSERT INTO retention.rate_groups (name)
    SELECT %(rate_group)s::text
    WHERE %(rate_group)s::text IS NOT NULL AND EXISTS (SELECT FROM locked)
      AND NOT EXISTS (SELECT FROM retention.rate_groups WHERE name = %(rate_group)s)
    ON CONFLICT (name) DO NOTHING
),

-- Every statement locks the group after its partner, and no lock after it that others wait for with the group: no
-- deadlock can arise.
locked_group AS (
    SELECT g.*
    FROM retention.rate_groups g
    WHERE g.name = %(rate_group)s AND EXISTS (SELECT FROM locked)
    FOR UPDATE
),

-- After a throttle the rate is below the configured one, and grows back with time. A group's rate grows in jumps,
-- because each change begins a new grid.
paced AS MATERIALIZED (
    SELECT
        l.partner, l.kind, l.next_slot, l.share_until, clock_timestamp() AS at,
        least(%(rate)s::float8, coalesce(l.rate, %(rate)s)
            + %(rate)s * %(recovery)s * greatest(0, extract(epoch FROM statement_timestamp() - l.rate_at))) AS rate,
        least(%(group_rate)s::float8, coalesce(g.rate, %(group_rate)s) + CASE WHEN g.rate_at < statement_timestamp()
            - make_interval(secs => %(regrowth)s) THEN %(group_rate)s * %(recovery)s
            * extract(epoch FROM statement_timestamp() - g.rate_at) ELSE 0 END)::float8 AS group_rate
    FROM locked l LEFT JOIN locked_group g ON true
    WHERE g.name IS NOT NULL OR %(rate_group)s::text IS NULL
),

-- The first slot lies `head_start` seconds ahead: the process needs that long to read the answer. A partner's slots on
-- the grid may come late by one step of the grid, so in a group its own steps are long enough for that too.
offered AS (
    SELECT
        p.*, p.at + make_interval(secs => %(head_start)s) AS earliest,
        greatest(p.next_slot, p.at + make_interval(secs => %(head_start)s)) AS first_slot,
        CASE WHEN p.rate < p.group_rate
             THEN greatest(1 / (%(spacing)s * p.rate),
                           1.0001 * (1 + %(tolerance)s + 1 / (%(spacing)s * p.group_rate)) / p.rate)
             ELSE 1 / (%(spacing)s * p.rate) END AS step,
        1 / (%(spacing)s * p.group_rate) AS group_step,
        statement_timestamp() + make_interval(secs => %(horizon)s) AS last_moment
    FROM paced p
),

-- Without a group: as many slots as begin within the horizon.
granted AS (
    SELECT
        o.*,
        greatest(0, least(w.rounds, 1 + floor(extract(epoch FROM o.last_moment - o.first_slot)::float8 / o.step)))
            ::integer AS slots
    FROM offered o, wanted w WHERE o.group_step IS NULL
),

-- The group's grid. It begins anew behind the last taken slot where none lies ahead, or where the rate has changed.
grid AS (
    SELECT
        o.*, g.name AS rate_group, g.last_slot, g.rate AS lowered_rate, g.rate_at AS lowered_at,
        CASE WHEN n.anew THEN greatest(g.last_slot + make_interval(secs => greatest(g.step, o.group_step)), o.earliest)
             ELSE g.begins + make_interval(secs => d.dropped * o.group_step) END AS begins,
        CASE WHEN n.anew THEN '' ELSE substring(g.taken FROM d.dropped + 1) END AS taken,
        -- The partner's share, as seconds between its slots: an equal part for each partner and kind that wanted slots
        -- lately. What those with lower rates of their own leave is shared by the others.
        1 / (%(spacing)s * (
            SELECT max((o.group_rate - slower) / others)
            FROM (
                SELECT
                    sum(m.rate) OVER (ORDER BY m.rate ROWS UNBOUNDED PRECEDING) - m.rate AS slower,
                    count(*) OVER () - row_number() OVER (ORDER BY m.rate) + 1 AS others
                FROM (
                    SELECT o.rate
                    UNION ALL
                    SELECT s.wanted_rate
                    FROM retention.partner_state s
                    WHERE s.rate_group = g.name AND (s.partner, s.kind) <> (o.partner, o.kind)
                      AND s.wanted_at BETWEEN statement_timestamp() - make_interval(secs => %(wants_for)s)
                          AND statement_timestamp() + make_interval(secs => %(wants_for)s)
                ) m
            ) parts
        )) AS share_step
    FROM offered o
    JOIN locked_group g ON true
    CROSS JOIN LATERAL (SELECT g.last_slot < o.earliest OR g.step <> o.group_step AS anew) n
    CROSS JOIN LATERAL (
        SELECT CASE WHEN n.anew THEN 0
                    ELSE greatest(0, floor(extract(epoch FROM o.at - g.begins)::float8 / o.group_step)) END::integer
            AS dropped
    ) d
),

-- The grid up to the horizon. `entitled`: the slots within the partner's share. Beyond them it takes only slots that
-- begin soon: later ones are left to partners that have had less.
searched AS (
    SELECT
        d.*, e.last_place, e.share_from,
        d.taken || repeat('0', greatest(0, e.last_place + 1 - length(d.taken)))::varbit AS places,
        greatest(0, 1 + floor(extract(epoch FROM d.last_moment - e.share_from)::float8 / d.share_step))::integer
            AS entitled,
        greatest(-1, floor(extract(epoch FROM d.earliest + make_interval(secs => %(excess)s) - d.begins)::float8
            / d.group_step))::integer AS soon
    FROM grid d
    CROSS JOIN LATERAL (
        SELECT greatest(-1, floor(extract(epoch FROM d.last_moment - d.begins)::float8 / d.group_step))::integer
            AS last_place,
            -- A clock that was set back leaves nobody without a share for long.
            greatest(d.at, least(d.share_until, d.last_moment + make_interval(secs => d.share_step))) AS share_from
    ) e
),

-- One free place after another, each at least one own step behind the one before.
walk AS (
    WITH RECURSIVE found AS (
        SELECT 0 AS nth, -1 AS place, extract(epoch FROM s.first_slot - s.begins)::float8 AS own_next, s.places
        FROM searched s
        UNION ALL
        SELECT
            f.nth + 1, p.place, greatest(f.own_next, (p.place - 1) * s.group_step) + s.step,
            set_bit(f.places, p.place, 1)::varbit
        FROM found f, searched s, wanted w
        CROSS JOIN LATERAL (
            SELECT greatest(f.place + 1, least(1000000, ceil((f.own_next - 0.000002) / s.group_step)))::integer AS place
        ) first
        CROSS JOIN LATERAL (
            SELECT first.place + position(B'0' IN substring(f.places FROM first.place + 1)) - 1 AS place
        ) p
        WHERE f.nth < w.rounds AND p.place BETWEEN first.place AND s.last_place
          AND (f.nth < s.entitled OR p.place <= s.soon)
    )
    SELECT * FROM found
),

-- The slots by number.
given AS (
    SELECT n.nth, g.first_slot + make_interval(secs => (n.nth - 1) * g.step) AS slot
    FROM granted g, generate_series(1, g.slots) AS n (nth)
    UNION ALL
    SELECT w.nth, s.begins + make_interval(secs => w.place * s.group_step)
    FROM walk w, searched s WHERE w.nth > 0
),

-- The partner's row after that.
moved AS (
    SELECT
        g.partner, g.kind, g.at, g.rate, g.step, g.slots, NULL::text AS rate_group, g.share_until,
        g.first_slot + make_interval(secs => g.slots * g.step) AS next_slot
    FROM granted g
    UNION ALL
    SELECT
        s.partner, s.kind, s.at, s.rate, greatest(s.step, s.share_step), w.nth, s.rate_group,
        s.share_from + make_interval(secs => least(w.nth, s.entitled) * s.share_step),
        s.begins + make_interval(secs => w.own_next)
    FROM searched s, (SELECT * FROM walk ORDER BY nth DESC LIMIT 1) w
),

-- The group's row after that.
group_after AS (
    SELECT
        s.rate_group AS name, s.begins, s.group_step AS step, w.places AS taken,
        greatest(s.last_slot, s.begins + make_interval(secs => w.place * s.group_step)) AS last_slot,
        s.begins + make_interval(secs => s.group_step * coalesce(
            nullif(position(B'0' IN w.places), 0) - 1, length(w.places))) AS next_slot,
        nullif(s.group_rate, %(group_rate)s) AS rate,
        CASE WHEN s.group_rate = coalesce(s.lowered_rate, %(group_rate)s) THEN s.lowered_at
             ELSE statement_timestamp() END AS rate_at
    FROM searched s, (SELECT * FROM walk ORDER BY nth DESC LIMIT 1) w
    WHERE w.nth > 0
),

-- Moves the group's slots.
group_moved AS (
    UPDATE retention.rate_groups g
    SET begins = a.begins, step = a.step, taken = a.taken, last_slot = a.last_slot, next_slot = a.next_slot,
        rate = a.rate, rate_at = a.rate_at
    FROM group_after a
    WHERE g.name = a.name
),

-- Moves the partner's next slot behind them.
reserved AS (
    UPDATE retention.partner_state s
    SET next_slot = m.next_slot, rate = nullif(m.rate, %(rate)s), rate_at = statement_timestamp(),
        rate_group = m.rate_group, wanted_at = statement_timestamp(), wanted_rate = m.rate,
        share_until = m.share_until
    FROM moved m
    WHERE s.partner = m.partner AND s.kind = m.kind
    RETURNING m.step, m.slots, m.at
)
