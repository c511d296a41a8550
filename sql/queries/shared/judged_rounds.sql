-- Fragment, the end of a statement: the rows of `looked_at`, each with its `standing`: 'eligible' where nothing stands
-- against planning it. `broken` is the code of the defect of a row that no run could plan.

-- Rounds that the view has twice. A row's twin may be young, active or in another market, so this searches the whole
-- view. The planner chooses how: by each round's key, or in one pass.
doubled AS (
    SELECT o.partner, o.round_id
    FROM retention.open_rounds o
    WHERE (o.partner, o.round_id) IN (SELECT l.partner, l.round_id FROM looked_at l)
    GROUP BY o.partner, o.round_id HAVING count(*) > 1
)

SELECT
    f.partner, f.market, f.game_id, f.user_id, f.round_id, f.opened_at, f.last_activity_at, f.stake, f.currency,
    f.bet_transaction_id, f.broken,
    CASE
        WHEN f.broken IS NOT NULL THEN f.broken
        -- Two rows of a round may differ in all that follows.
        WHEN d.round_id IS NOT NULL THEN 'doubled'
        WHEN
            -- include shared/on_hold.sql
            THEN 'held'
        WHEN k.held_by IS NOT NULL AND (
            -- Rounds that an abandoned run never sent are planned again by this one. By the id: with EXISTS the planner
            -- may read all cancellations. An archived row is not there, and holds its round for good.
            SELECT c.state IN ('planned', 'retrying') AND NOT c.may_have_taken_effect
                   AND (r.status IN ('halted', 'failed', 'cancelled')
                        OR (r.heartbeat_until < statement_timestamp() AND NOT
                            -- include shared/waits_for_approval.sql
                        ))
            FROM retention.cancellations c JOIN retention.runs r ON r.run_id = c.run_id
            WHERE c.id = k.held_by LIMIT 1
        ) IS NOT TRUE THEN 'in_ledger'
        WHEN f.max_runs <= k.refused THEN 'given_up'
        ELSE 'eligible'
    END AS standing,
    coalesce(k.tried, 0) > 0 AS tried_before
FROM looked_at f
LEFT JOIN doubled d ON d.partner = f.partner AND d.round_id = f.round_id
-- How the round ended in earlier runs, in whatever month.
LEFT JOIN retention.round_keys k ON k.partner = f.partner AND k.round_id = f.round_id
