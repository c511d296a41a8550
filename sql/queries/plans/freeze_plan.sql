-- The plan of a run: one row for each stale round that nothing stands against. Returns its figures. Of more
-- rounds than `max_rounds` (NULL: no limit) none is written: the run halts, and the next one finds them again.
WITH stale AS (
    -- include shared/stale_rounds.sql
), chosen AS (
    SELECT * FROM stale WHERE standing = 'eligible' ORDER BY opened_at, partner, round_id LIMIT %(limit)s::bigint
), within AS MATERIALIZED (
    SELECT coalesce(count(*) <= %(max_rounds)s::bigint, true) AS limits FROM chosen
), frozen AS (
    INSERT INTO retention.cancellations AS c
        (run_id, partner, market, game_id, user_id, round_id, opened_at, stake, stake_currency, bet_transaction_id,
         state, settled_at, detail, tried_before)
    SELECT %(run_id)s, partner, market, game_id, user_id, round_id, opened_at, stake, currency, bet_transaction_id,
           CASE WHEN %(dry_run)s THEN 'not_sent' ELSE 'planned' END, CASE WHEN %(dry_run)s THEN %(as_of)s::timestamptz END,
           CASE WHEN %(dry_run)s THEN 'dry run' END, tried_before
    FROM chosen WHERE (SELECT limits FROM within)
    -- New rounds first: those that an earlier run has tried may never succeed.
    ORDER BY tried_before, opened_at, partner, round_id
    -- Another run that was planned at this very moment keeps what it took.
    ON CONFLICT (partner, round_id) WHERE holds_round DO NOTHING
    RETURNING c.partner, c.market, c.game_id, c.stake_currency AS currency, c.stake, c.opened_at
)
SELECT
    'eligible' AS standing, partner, market, game_id, currency, min(opened_at) AS oldest,
    -- include shared/stake_sums.sql
FROM (
    SELECT partner, market, game_id, currency, stake, opened_at FROM frozen
    UNION ALL
    SELECT partner, market, game_id, currency, stake, opened_at FROM chosen WHERE NOT (SELECT limits FROM within)
) planned GROUP BY partner, market, game_id, currency
UNION ALL
-- Of what is left out, numbers and times may make no sense.
SELECT standing, partner, market, NULL, NULL, NULL, count(*), NULL, 0
FROM stale WHERE standing <> 'eligible' GROUP BY standing, partner, market
