-- The plan of a run: one row for each stale round that nothing stands against, oldest first. Returns its figures.
WITH stale AS (
    -- include stale_rounds.sql
), frozen AS (
    INSERT INTO retention.cancellations AS c
        (run_id, partner, market, game_id, user_id, round_id, opened_at, stake, stake_currency, bet_transaction_id,
         state, settled_at, holds_round, detail)
    SELECT %(run_id)s, partner, market, game_id, user_id, round_id, opened_at, stake, currency, bet_transaction_id,
           CASE WHEN %(dry_run)s THEN 'not_sent' ELSE 'planned' END, CASE WHEN %(dry_run)s THEN %(as_of)s::timestamptz END,
           NOT %(dry_run)s, CASE WHEN %(dry_run)s THEN 'dry run' END
    FROM stale WHERE standing = 'eligible'
    ORDER BY opened_at, partner, round_id LIMIT %(limit)s::bigint
    -- Another run that was planned at this very moment keeps what it took.
    ON CONFLICT (partner, round_id) WHERE holds_round DO NOTHING
    RETURNING c.partner, c.market, c.game_id, c.stake_currency AS currency, c.stake, c.opened_at
)
SELECT 'eligible' AS standing, partner, market, game_id, currency, count(*) AS rounds, sum(stake) AS stake,
       min(opened_at) AS oldest
FROM frozen GROUP BY partner, market, game_id, currency
UNION ALL
SELECT standing, partner, market, game_id, currency, count(*), sum(stake), min(opened_at)
FROM stale WHERE standing <> 'eligible' GROUP BY standing, partner, market, game_id, currency
