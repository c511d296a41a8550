-- Fragment, as CTEs: writes the rounds of `chosen` as rows of a run, if they are few enough.

-- Whether the plan is small enough.
within AS MATERIALIZED (
    SELECT coalesce(count(*) <= %(max_rounds)s::bigint, true) AS limits FROM chosen
),

-- Writes the rows. New rounds come first, since rounds that an earlier run has tried may never succeed. A trigger
-- leaves out the rounds that another run, planned at this very moment, has taken.
frozen AS (
    INSERT INTO retention.cancellations AS c
        (run_id, partner, market, game_id, user_id, round_id, opened_at, stake, stake_currency, bet_transaction_id,
         state, settled_at, detail, tried_before, last_activity_at)
    SELECT
        %(run_id)s, partner, market, game_id, user_id, round_id, opened_at, stake, currency, bet_transaction_id,
        CASE WHEN %(dry_run)s THEN 'not_sent' ELSE 'planned' END,
        CASE WHEN %(dry_run)s THEN %(as_of)s::timestamptz END, CASE WHEN %(dry_run)s THEN %(dry_run_detail)s END,
        tried_before, last_activity_at
    FROM chosen WHERE (SELECT limits FROM within)
    ORDER BY tried_before, opened_at, partner, round_id
    RETURNING c.id, c.partner, c.market, c.game_id, c.stake_currency AS currency, c.stake, c.opened_at, (
        SELECT
            -- include shared/cancellation_leaf.sql
        FROM retention.ledger_key k WHERE c.settled_at IS NOT NULL) AS hash
),

-- The hashes of a dry run's rows, which are settled at once.
leaves AS (
    SELECT 'cancellation' AS subject, id::text, hash FROM frozen WHERE %(dry_run)s
),

-- For the evidence.
about AS (
    SELECT %(run_id)s::uuid AS run_id, %(replica)s::text AS replica, 'planned' AS kind, NULL::json AS facts
),

-- include shared/evidence_entry.sql
