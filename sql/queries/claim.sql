-- The next rounds to cancel: what is due again first, then the plan in its order. Each is looked up once more in the
-- operator's view; those that are not to be called any more are settled here, the others get an attempt, a lease and
-- a slot. One statement: what it returns is committed.
WITH gate AS (
    SELECT s.partner, s.lane, r.as_of
    FROM retention.partner_state s, retention.runs r
    WHERE s.partner = %(partner)s AND s.lane = %(lane)s
      AND s.paused_until <= statement_timestamp()
      AND s.next_slot <= statement_timestamp() + make_interval(secs => %(lead)s)
      AND r.run_id = %(run_id)s AND r.status = 'running' AND s.partner <> ALL (r.halted_partners)
      AND r.deadline_at > statement_timestamp()
      AND NOT EXISTS (
          SELECT FROM retention.pauses p
          WHERE p.resumed_at IS NULL AND (p.partner IS NULL OR p.partner = s.partner))
), due AS (
    SELECT c.id, c.partner, c.market, c.game_id, c.user_id, c.round_id, c.doubtful, r.as_of
    FROM retention.cancellations c JOIN retention.runs r ON r.run_id = c.run_id
    WHERE EXISTS (SELECT FROM gate)
      AND c.partner = %(partner)s AND c.unsettled AND c.due_at <= statement_timestamp()
      AND coalesce(c.taken_up_by, c.run_id) = %(run_id)s
      AND (c.state = 'retrying' OR (c.state = 'in_doubt' AND NOT %(status_probe)s))
    ORDER BY c.due_at LIMIT %(batch)s
    FOR UPDATE OF c SKIP LOCKED
), fresh AS (
    SELECT next.*, (SELECT as_of FROM gate) AS as_of
    FROM (
        SELECT c.id, c.partner, c.market, c.game_id, c.user_id, c.round_id, c.doubtful
        FROM retention.cancellations c
        WHERE EXISTS (SELECT FROM gate)
          AND c.run_id = %(run_id)s AND c.partner = %(partner)s AND c.id > %(after)s AND c.state = 'planned'
        ORDER BY c.id LIMIT %(batch)s
        FOR UPDATE OF c SKIP LOCKED
    ) next
    -- No more are locked than are taken. The planner cannot foresee this limit, and needs the one above: it would
    -- expect a tenth of the plan, and read the whole table for that.
    LIMIT %(batch)s - (SELECT count(*) FROM due)
), looked AS (
    SELECT
        c.id, c.doubtful,
        o.round_id IS NULL AS closed,
        o.last_activity_at > least(c.as_of,
            statement_timestamp() - make_interval(secs => coalesce(%(idle_longer_than)s::float8, 0))) AS came_back,
        o.last_activity_at,
        EXISTS (
            SELECT FROM retention.holds h
            WHERE h.released_at IS NULL AND (h.until IS NULL OR h.until > statement_timestamp())
              AND (h.partner IS NULL OR h.partner = c.partner) AND (h.market IS NULL OR h.market = c.market)
              AND (h.game_id IS NULL OR h.game_id = c.game_id) AND (h.user_id IS NULL OR h.user_id = c.user_id)
              AND (h.round_id IS NULL OR h.round_id = c.round_id)) AS held
    FROM (SELECT * FROM due UNION ALL SELECT * FROM fresh) c
    LEFT JOIN retention.open_rounds o ON o.partner = c.partner AND o.round_id = c.round_id
), ready AS (
    SELECT id, row_number() OVER (ORDER BY id) AS nth
    FROM (SELECT DISTINCT id FROM looked WHERE NOT closed AND coalesce(came_back, false) IS FALSE AND NOT held) once
), reserved AS (
    UPDATE retention.partner_state s
    SET next_slot = greatest(s.next_slot, clock_timestamp() + make_interval(secs => %(head_start)s))
            + make_interval(secs => (SELECT count(*) FROM ready) / (%(spacing)s * now_at.rate)),
        rate = nullif(now_at.rate, %(rate)s), rate_at = statement_timestamp()
    FROM (
        -- include pace.sql
    ) now_at
    WHERE s.partner = now_at.partner AND s.lane = now_at.lane AND EXISTS (SELECT FROM ready)
    RETURNING
        s.next_slot - make_interval(secs => (SELECT count(*) FROM ready) / (%(spacing)s * now_at.rate)) AS first_slot,
        1 / (%(spacing)s * now_at.rate) AS step,
        clock_timestamp() AS at
), claimed AS (
    UPDATE retention.cancellations c
    SET state = 'claimed', attempt_uuid = gen_random_uuid(), attempts = c.attempts + 1, tries = c.tries + 1, due_at = NULL,
        lease_until = v.first_slot + make_interval(secs => (ready.nth - 1) * v.step + %(lease)s)
    FROM ready, reserved v
    WHERE c.id = ready.id
    RETURNING c.*, ready.nth
), intent AS (
    INSERT INTO retention.attempts (uuid, cancellation_id, run_id, kind, replica, claimed_at)
    SELECT attempt_uuid, id, %(run_id)s, 'cancel', %(replica)s, clock_timestamp() FROM claimed
), dropped AS (
    UPDATE retention.cancellations c
    SET state = CASE WHEN c.doubtful THEN 'in_doubt' WHEN l.closed OR l.came_back THEN 'no_longer_open' ELSE 'held' END,
        due_at = CASE WHEN c.doubtful AND %(status_probe)s AND c.probes < %(max_attempts)s THEN statement_timestamp() END,
        settled_at = CASE WHEN NOT c.doubtful THEN statement_timestamp() END,
        holds_round = c.doubtful, unsettled = c.doubtful,
        detail = CASE
            WHEN l.closed THEN 'not in the operator''s view any more'
            WHEN l.came_back THEN 'the player came back at ' || to_char(l.last_activity_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
            ELSE 'on hold' END
    FROM looked l
    WHERE c.id = l.id AND NOT EXISTS (SELECT FROM ready WHERE ready.id = l.id)
    RETURNING c.id, c.state, c.market, c.round_id, c.run_id, c.detail
)
SELECT
    c.id, c.run_id::text, c.state, c.market, c.game_id, c.user_id, c.round_id, c.attempt_uuid::text AS uuid, c.tries,
    c.probes, c.doubtful, c.refused, NULL AS detail,
    extract(epoch FROM v.first_slot)::float8 + (c.nth - 1) * v.step AS slot,
    extract(epoch FROM v.at)::float8 AS at, v.step
FROM claimed c, reserved v
UNION ALL
SELECT d.id, d.run_id::text, d.state, d.market, NULL, NULL, d.round_id, NULL, 0, 0, false, false, d.detail, NULL, NULL, NULL
FROM dropped d
UNION ALL
-- Nothing may be claimed just now: that is not the same as nothing being left.
SELECT NULL, NULL, 'gate_closed', NULL, NULL, NULL, NULL, NULL, 0, 0, false, false, NULL, NULL, NULL, NULL
WHERE NOT EXISTS (SELECT FROM gate)
ORDER BY slot
