-- Purpose: Claims the next rounds to cancel, each with an attempt, a lease and a send slot. With `ask_first` these are
--     the rounds of `ids`, which the vendor has just called in progress. Else the plan in its order and due retries
--     take turns, so that neither keeps the other waiting.
--     Rounds that an earlier run tried, and adopted doubts, come last and have a failure window of their own. When that
--     window trips, the run skips them: a halt would otherwise come every night, before any new round.
-- Locks: the claimed rows, those of others are skipped; the partner's slots,
--     then its rate group's, until the commit.
-- Returns: a row per claim, per skipped round, per round without a slot; a row without an id where the gate is closed.
WITH

-- An attempt must survive a crash once its request has left.
durable AS MATERIALIZED (
    -- include session/raise_durability.sql
),

-- One row while requests may be sent at all.
allowed AS (
    -- include shared/gate.sql
),

-- Places of the batch that are kept for due retries: half of them at most.
retry_places AS (
    SELECT count(*) AS places
    FROM (
        SELECT FROM retention.cancellations c
        WHERE NOT %(ask_first)s
          AND
              -- include shared/due_follow_up.sql
          AND (c.state = 'retrying' OR (c.state = 'in_doubt' AND NOT %(status_probe)s))
        LIMIT (%(batch)s + %(due_first)s::boolean::integer) / 2
    ) waiting
),

-- The next planned rounds beyond the cursor `after`.
next_planned AS (
    SELECT next.*, (SELECT as_of FROM allowed) AS as_of
    FROM (
        SELECT c.id, c.partner, c.market, c.game_id, c.user_id, c.round_id, c.opened_at, c.may_have_taken_effect
        FROM retention.cancellations c
        WHERE EXISTS (SELECT FROM allowed) AND %(ids)s::bigint[] IS NULL
          AND c.run_id = %(run_id)s AND c.partner = %(partner)s AND c.id > %(after)s
          AND c.id >= %(first_id)s AND c.state = 'planned'
          AND NOT (c.tried_before AND %(leave_tried)s)
          AND (NOT %(ask_first)s OR (
              -- include shared/in_progress_lately.sql
          ))
        ORDER BY c.id LIMIT %(batch)s
        FOR UPDATE OF c SKIP LOCKED
    ) next
    -- Locks no more rows than it takes. The planner cannot foresee this limit, and needs the one above: else it expects
    -- a tenth of the plan, and reads the whole table for that.
    LIMIT %(batch)s - (SELECT places FROM retry_places)
),

-- Rounds to send for again.
due_retries AS (
    SELECT next.*
    FROM (
        SELECT
            c.id, c.partner, c.market, c.game_id, c.user_id, c.round_id, c.opened_at, c.may_have_taken_effect,
            -- include shared/view_moment.sql
            AS as_of
        FROM retention.cancellations c JOIN retention.runs r ON r.run_id = c.run_id
        WHERE EXISTS (SELECT FROM allowed) AND NOT %(ask_first)s
          AND
              -- include shared/due_follow_up.sql
          AND (c.state = 'retrying' OR (c.state = 'in_doubt' AND NOT %(status_probe)s))
        ORDER BY c.due_at LIMIT %(batch)s
        FOR UPDATE OF c SKIP LOCKED
    ) next
    LIMIT %(batch)s - (SELECT count(*) FROM next_planned)
),

-- The rounds of `ids`, as far as the vendor's answer is still young.
asked AS (
    SELECT
        c.id, c.partner, c.market, c.game_id, c.user_id, c.round_id, c.opened_at, c.may_have_taken_effect,
        -- include shared/view_moment.sql
        AS as_of
    FROM retention.cancellations c JOIN retention.runs r ON r.run_id = c.run_id
    WHERE EXISTS (SELECT FROM allowed) AND c.id = ANY (%(ids)s::bigint[]) AND c.id >= %(first_id)s
      AND c.partner = %(partner)s AND coalesce(c.adopted_by_run, c.run_id) = %(run_id)s
      AND c.state IN ('planned', 'retrying')
      AND
          -- include shared/in_progress_lately.sql
    ORDER BY c.id
    FOR UPDATE OF c SKIP LOCKED
),

-- All rounds of this claim.
candidates AS (
    SELECT * FROM due_retries UNION ALL SELECT * FROM next_planned UNION ALL SELECT * FROM asked
),

-- The operator's view and the holds are looked at once more.
rechecked AS MATERIALIZED (
    -- include shared/rechecked_candidates.sql
),

-- The rounds that may be called, numbered by turns: planned, due, planned, due.
to_send AS (
    SELECT id, row_number() OVER (ORDER BY turn, is_due <> %(due_first)s::boolean, id) AS nth
    FROM (
        SELECT l.id, d.id IS NOT NULL AS is_due, row_number() OVER (PARTITION BY d.id IS NOT NULL ORDER BY l.id) AS turn
        FROM rechecked l LEFT JOIN due_retries d ON d.id = l.id
        WHERE l.why IS NULL
    ) r
),

-- How many slots they need.
wanted AS (
    SELECT count(*) AS rounds FROM to_send
),

-- include shared/slot_reservation.sql
,

-- A lease reaches beyond the claim's slot.
claimed AS (
    UPDATE retention.cancellations c
    SET state = 'claimed', attempt_uuid = gen_random_uuid(), due_at = NULL,
        attempts = c.attempts + 1, attempts_this_run = c.attempts_this_run + 1,
        lease_until = v.slot + make_interval(secs => %(lease)s)
    FROM to_send t JOIN given v ON v.nth = t.nth
    WHERE c.id = t.id AND c.id >= %(first_id)s
    RETURNING c.*, v.slot
),

-- include shared/claimed_rows.sql
