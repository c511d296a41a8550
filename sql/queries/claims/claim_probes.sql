-- The next rounds to ask the vendor about: doubts, and, where it is asked before each cancel, what is due again and the plan
-- in its order, by turns. A question about a doubt touches nothing, so the operator's view is consulted for the others
-- alone: a round that is not to be called any more is not asked about either.
WITH durable AS MATERIALIZED (
    -- include session/raise_durability.sql
), gate AS (
    -- include shared/gate.sql
), room AS (
    -- For what is not in doubt.
    SELECT least(%(new)s, %(batch)s - count(*)) AS places
    FROM (
        SELECT FROM retention.cancellations c
        WHERE
            -- include shared/due_probe.sql
        LIMIT (%(batch)s + %(due_first)s::boolean::integer) / 2
    ) waiting
), due AS (
    SELECT next.*
    FROM (
        SELECT c.id, c.partner, c.market, c.game_id, c.user_id, c.round_id, c.opened_at, c.may_have_taken_effect, r.as_of
        FROM retention.cancellations c JOIN retention.runs r ON r.run_id = c.run_id
        WHERE EXISTS (SELECT FROM gate) AND %(ask_first)s
          AND
              -- include shared/due_follow_up.sql
          AND c.state = 'retrying' AND NOT c.may_have_taken_effect
        ORDER BY c.due_at LIMIT %(new)s
        FOR UPDATE OF c SKIP LOCKED
    ) next
    LIMIT (SELECT places FROM room)
), fresh AS (
    SELECT next.*, (SELECT as_of FROM gate) AS as_of
    FROM (
        SELECT c.id, c.partner, c.market, c.game_id, c.user_id, c.round_id, c.opened_at, c.may_have_taken_effect
        FROM retention.cancellations c
        WHERE EXISTS (SELECT FROM gate) AND %(ask_first)s
          AND c.run_id = %(run_id)s AND c.partner = %(partner)s AND c.id > %(after)s AND c.state = 'planned'
          AND NOT (c.tried_before AND %(leave_tried)s)
          AND (c.in_progress_at IS NULL
               OR c.in_progress_at NOT BETWEEN statement_timestamp() - make_interval(secs => %(told_within)s)
                                              AND statement_timestamp() + interval '2 seconds')
        ORDER BY c.id LIMIT %(new)s
        FOR UPDATE OF c SKIP LOCKED
    ) next
    -- No more are locked than are taken: see claims/claim_rounds.sql.
    LIMIT greatest(0, (SELECT places FROM room) - (SELECT count(*) FROM due))
), doubts AS (
    SELECT next.id
    FROM (
        SELECT c.id
        FROM retention.cancellations c
        WHERE EXISTS (SELECT FROM gate)
          AND
              -- include shared/due_probe.sql
        ORDER BY c.due_at LIMIT %(batch)s
        FOR UPDATE OF c SKIP LOCKED
    ) next
    LIMIT %(batch)s - (SELECT count(*) FROM due) - (SELECT count(*) FROM fresh)
), candidates AS (
    SELECT * FROM due UNION ALL SELECT * FROM fresh
), looked AS MATERIALIZED (
    -- include shared/rechecked_candidates.sql
), ready AS (
    SELECT id, row_number() OVER (ORDER BY turn, doubt <> %(due_first)s::boolean, id) AS nth
    FROM (
        SELECT id, true AS doubt, row_number() OVER (ORDER BY id) AS turn FROM doubts
        UNION ALL
        SELECT id, false, row_number() OVER (ORDER BY id) FROM looked WHERE why IS NULL
    ) r
), wanted AS (
    SELECT count(*) AS rounds FROM ready
),
-- include shared/slot_reservation.sql
, claimed AS (
    UPDATE retention.cancellations c
    SET state = 'claimed', attempt_uuid = gen_random_uuid(), probes_this_run = c.probes_this_run + 1, due_at = NULL,
        lease_until = v.first_slot + make_interval(secs => (ready.nth - 1) * v.step + %(lease)s)
    FROM ready, reserved v
    WHERE c.id = ready.id AND ready.nth <= v.slots
    RETURNING c.*, ready.nth
), intent AS (
    INSERT INTO retention.attempts (uuid, cancellation_id, run_id, kind, replica, claimed_at)
    SELECT attempt_uuid, id, %(run_id)s, 'status', %(replica)s, clock_timestamp() FROM claimed
), skipped AS (
    -- include shared/skipped_rounds.sql
)
-- include shared/claimed_rows.sql
