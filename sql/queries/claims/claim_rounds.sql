-- The next rounds to cancel: those that the vendor has just called in progress, where it is asked first; else the plan in
-- its order and what is due again, by turns, so that neither keeps the other waiting. Each is looked up once more in the
-- operator's view; those that are not to be called any more are settled here, the others get an attempt, a lease and a
-- slot. What it returns is committed.
WITH durable AS MATERIALIZED (
    -- include session/raise_durability.sql
), gate AS (
    -- include shared/gate.sql
), kept AS (
    SELECT count(*) AS places
    FROM (
        SELECT FROM retention.cancellations c
        WHERE NOT %(ask_first)s
          AND
              -- include shared/due_follow_up.sql
          AND (c.state = 'retrying' OR (c.state = 'in_doubt' AND NOT %(status_probe)s))
        LIMIT (%(batch)s + %(due_first)s::boolean::integer) / 2
    ) waiting
), fresh AS (
    SELECT next.*, (SELECT as_of FROM gate) AS as_of
    FROM (
        SELECT c.id, c.partner, c.market, c.game_id, c.user_id, c.round_id, c.opened_at, c.may_have_taken_effect
        FROM retention.cancellations c
        WHERE EXISTS (SELECT FROM gate) AND %(ids)s::bigint[] IS NULL
          AND c.run_id = %(run_id)s AND c.partner = %(partner)s AND c.id > %(after)s AND c.state = 'planned'
          AND NOT (c.tried_before AND %(leave_tried)s)
          AND (NOT %(ask_first)s OR c.in_progress_at > statement_timestamp() - make_interval(secs => %(told_within)s))
          -- What was told in the future, a wrong clock has written.
          AND (NOT %(ask_first)s OR c.in_progress_at < statement_timestamp() + interval '2 seconds')
        ORDER BY c.id LIMIT %(batch)s
        FOR UPDATE OF c SKIP LOCKED
    ) next
    -- No more are locked than are taken. The planner cannot foresee this limit, and needs the one above: it would
    -- expect a tenth of the plan, and read the whole table for that.
    LIMIT %(batch)s - (SELECT places FROM kept)
), due AS (
    SELECT next.*
    FROM (
        SELECT c.id, c.partner, c.market, c.game_id, c.user_id, c.round_id, c.opened_at, c.may_have_taken_effect, r.as_of
        FROM retention.cancellations c JOIN retention.runs r ON r.run_id = c.run_id
        WHERE EXISTS (SELECT FROM gate) AND NOT %(ask_first)s
          AND
              -- include shared/due_follow_up.sql
          AND (c.state = 'retrying' OR (c.state = 'in_doubt' AND NOT %(status_probe)s))
        ORDER BY c.due_at LIMIT %(batch)s
        FOR UPDATE OF c SKIP LOCKED
    ) next
    LIMIT %(batch)s - (SELECT count(*) FROM fresh)
), told AS (
    SELECT c.id, c.partner, c.market, c.game_id, c.user_id, c.round_id, c.opened_at, c.may_have_taken_effect, r.as_of
    FROM retention.cancellations c JOIN retention.runs r ON r.run_id = c.run_id
    WHERE EXISTS (SELECT FROM gate) AND c.id = ANY (%(ids)s::bigint[])
      AND c.partner = %(partner)s AND coalesce(c.adopted_by_run, c.run_id) = %(run_id)s
      AND c.state IN ('planned', 'retrying')
      AND c.in_progress_at < statement_timestamp() + interval '2 seconds'
      AND c.in_progress_at > statement_timestamp() - make_interval(secs => %(told_within)s)
    ORDER BY c.id
    FOR UPDATE OF c SKIP LOCKED
), candidates AS (
    SELECT * FROM due UNION ALL SELECT * FROM fresh UNION ALL SELECT * FROM told
), looked AS MATERIALIZED (
    -- include shared/rechecked_candidates.sql
), ready AS (
    SELECT id, row_number() OVER (ORDER BY turn, again <> %(due_first)s::boolean, id) AS nth
    FROM (
        SELECT l.id, d.id IS NOT NULL AS again, row_number() OVER (PARTITION BY d.id IS NOT NULL ORDER BY l.id) AS turn
        FROM looked l LEFT JOIN due d ON d.id = l.id
        WHERE l.why IS NULL
    ) r
), wanted AS (
    SELECT count(*) AS rounds FROM ready
),
-- include shared/slot_reservation.sql
, claimed AS (
    UPDATE retention.cancellations c
    SET state = 'claimed', attempt_uuid = gen_random_uuid(), attempts = c.attempts + 1, attempts_this_run = c.attempts_this_run + 1, due_at = NULL,
        lease_until = v.first_slot + make_interval(secs => (ready.nth - 1) * v.step + %(lease)s)
    FROM ready, reserved v
    WHERE c.id = ready.id AND ready.nth <= v.slots
    RETURNING c.*, ready.nth
), intent AS (
    INSERT INTO retention.attempts (uuid, cancellation_id, run_id, kind, replica, claimed_at)
    SELECT attempt_uuid, id, %(run_id)s, 'cancel', %(replica)s, clock_timestamp() FROM claimed
), skipped AS (
    -- include shared/skipped_rounds.sql
)
-- include shared/claimed_rows.sql
