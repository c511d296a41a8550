-- The next doubts to ask the vendor about. A question touches nothing, so the operator's view is not consulted.
WITH gate AS (
    SELECT s.partner, s.lane
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
    SELECT c.id
    FROM retention.cancellations c
    WHERE EXISTS (SELECT FROM gate)
      AND c.partner = %(partner)s AND c.unsettled AND c.due_at <= statement_timestamp()
      AND coalesce(c.taken_up_by, c.run_id) = %(run_id)s AND c.state = 'in_doubt'
    ORDER BY c.due_at LIMIT %(batch)s
    FOR UPDATE OF c SKIP LOCKED
), ready AS (
    SELECT id, row_number() OVER (ORDER BY id) AS nth FROM due
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
    SET state = 'claimed', attempt_uuid = gen_random_uuid(), probes = c.probes + 1, due_at = NULL,
        lease_until = v.first_slot + make_interval(secs => (ready.nth - 1) * v.step + %(lease)s)
    FROM ready, reserved v
    WHERE c.id = ready.id
    RETURNING c.*, ready.nth
), intent AS (
    INSERT INTO retention.attempts (uuid, cancellation_id, run_id, kind, replica, claimed_at)
    SELECT attempt_uuid, id, %(run_id)s, 'status', %(replica)s, clock_timestamp() FROM claimed
)
SELECT
    c.id, c.run_id::text, c.state, c.market, c.game_id, c.user_id, c.round_id, c.attempt_uuid::text AS uuid, c.tries,
    c.probes, c.doubtful, c.refused, NULL AS detail,
    extract(epoch FROM v.first_slot)::float8 + (c.nth - 1) * v.step AS slot,
    extract(epoch FROM v.at)::float8 AS at, v.step
FROM claimed c, reserved v
UNION ALL
SELECT NULL, NULL, 'gate_closed', NULL, NULL, NULL, NULL, NULL, 0, 0, false, false, NULL, NULL, NULL, NULL
WHERE NOT EXISTS (SELECT FROM gate)
ORDER BY slot
