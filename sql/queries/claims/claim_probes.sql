-- Purpose: Claims the next rounds to probe: doubts, and with `ask_first` due retries and the plan in its order, by
--     turns. A probe of a doubt changes nothing, so only the other rounds are looked up in the operator's view: a
--     round that must not be called is not asked about either.
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

-- Places of the batch for rounds that are not in doubt; doubts keep half of them at most.
new_places AS (
    SELECT least(%(new)s, %(batch)s - count(*)) AS places
    FROM (
        SELECT FROM retention.cancellations c
        WHERE
            -- include shared/due_probe.sql
        LIMIT (%(batch)s + %(due_first)s::boolean::integer) / 2
    ) waiting
),

-- Rounds to ask about before their cancel is sent again.
due_retries AS (
    SELECT next.*
    FROM (
        SELECT
            c.id, c.partner, c.market, c.game_id, c.user_id, c.round_id, c.opened_at, c.may_have_taken_effect,
            -- include shared/view_moment.sql
            AS as_of
        FROM retention.cancellations c JOIN retention.runs r ON r.run_id = c.run_id
        WHERE EXISTS (SELECT FROM allowed) AND %(ask_first)s
          AND
              -- include shared/due_follow_up.sql
          AND c.state = 'retrying' AND NOT c.may_have_taken_effect
        ORDER BY c.due_at LIMIT %(new)s
        FOR UPDATE OF c SKIP LOCKED
    ) next
    LIMIT (SELECT places FROM new_places)
),

-- The next planned rounds beyond the cursor `after`, unless the vendor has just called them in progress.
next_planned AS (
    SELECT next.*, (SELECT as_of FROM allowed) AS as_of
    FROM (
        SELECT c.id, c.partner, c.market, c.game_id, c.user_id, c.round_id, c.opened_at, c.may_have_taken_effect
        FROM retention.cancellations c
        WHERE EXISTS (SELECT FROM allowed) AND %(ask_first)s
          AND c.run_id = %(run_id)s AND c.partner = %(partner)s AND c.id > %(after)s
          AND c.id >= %(first_id)s AND c.state = 'planned'
          AND NOT (c.tried_before AND %(leave_tried)s)
          AND (
              -- include shared/in_progress_lately.sql
          ) IS NOT TRUE
        ORDER BY c.id LIMIT %(new)s
        FOR UPDATE OF c SKIP LOCKED
    ) next
    -- Locks no more rows than it takes: see claims/claim_rounds.sql.
    LIMIT greatest(0, (SELECT places FROM new_places) - (SELECT count(*) FROM due_retries))
),

-- Doubts whose probe is due.
due_doubts AS (
    SELECT next.id
    FROM (
        SELECT c.id
        FROM retention.cancellations c
        WHERE EXISTS (SELECT FROM allowed)
          AND
              -- include shared/due_probe.sql
        ORDER BY c.due_at LIMIT %(batch)s
        FOR UPDATE OF c SKIP LOCKED
    ) next
    LIMIT %(batch)s - (SELECT count(*) FROM due_retries) - (SELECT count(*) FROM next_planned)
),

-- All rounds of this claim that are not in doubt.
candidates AS (
    SELECT * FROM due_retries UNION ALL SELECT * FROM next_planned
),

-- The operator's view and the holds are looked at once more.
rechecked AS MATERIALIZED (
    -- include shared/rechecked_candidates.sql
),

-- The rounds to ask about, numbered by turns: doubt, round, doubt, round.
to_send AS (
    SELECT id, row_number() OVER (ORDER BY turn, doubt <> %(due_first)s::boolean, id) AS nth
    FROM (
        SELECT id, true AS doubt, row_number() OVER (ORDER BY id) AS turn FROM due_doubts
        UNION ALL
        SELECT id, false, row_number() OVER (ORDER BY id) FROM rechecked WHERE why IS NULL
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
    SET state = 'claimed', attempt_uuid = gen_random_uuid(), due_at = NULL, probes_this_run = c.probes_this_run + 1,
        lease_until = v.slot + make_interval(secs => %(lease)s)
    FROM to_send t JOIN given v ON v.nth = t.nth
    WHERE c.id = t.id AND c.id >= %(first_id)s
    RETURNING c.*, v.slot
),

-- include shared/claimed_rows.sql
