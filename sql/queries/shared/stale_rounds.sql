-- Fragment, and a statement of its own for EXPLAIN: the rounds that a policy looks at, each with its `standing`, which
-- is 'eligible' where nothing stands against planning it. `broken` is the code of the defect of a row that no run
-- could plan. Such a row may have no age, market or partner to be selected by, so every policy counts it that could
-- mean it. The index of the other rows also finds NULL times and those beyond 9000.
-- One text, so that a run plans exactly the rounds that `plan` shows. An SQL function would put the rule into the
-- schema; the rule could then not be rolled out with the code.
WITH

-- include shared/standing_holds.sql
,

-- The view's rows within the policy's ages, partners, markets and games.
stale AS MATERIALIZED (
    SELECT
        p.max_runs, o.partner, o.market, o.game_id, o.user_id, o.round_id, o.opened_at, o.last_activity_at, o.stake,
        o.currency, o.bet_transaction_id,
        CASE
            WHEN o.partner IS NULL OR btrim(o.partner) = '' THEN 'no_partner'
            WHEN p.partner IS NULL THEN 'unknown_partner'
            ELSE
                -- include shared/broken_row.sql
        END AS broken
    FROM retention.open_rounds o
    LEFT JOIN unnest(%(partners)s::text[], %(max_runs)s::integer[]) AS p (partner, max_runs) ON p.partner = o.partner
    WHERE (o.opened_at <= %(as_of)s::timestamptz - make_interval(secs => %(open_longer_than)s)
           OR o.opened_at IS NULL OR o.opened_at >= timestamptz '9001-01-01 00:00:00+00')
      -- Partners of other policies alone are left to those.
      AND (o.partner = ANY (%(other_partners)s::text[])) IS NOT TRUE
      AND (o.last_activity_at IS NULL OR %(idle_longer_than)s::float8 IS NULL
           OR o.last_activity_at <= %(as_of)s::timestamptz - make_interval(secs => %(idle_longer_than)s)
           OR o.last_activity_at >= timestamptz '9001-01-01 00:00:00+00')
      AND (%(markets)s::text[] IS NULL OR o.market = ANY (%(markets)s::text[])
           OR o.market IS NULL OR btrim(o.market) = '')
      AND (%(games)s::text[] IS NULL OR o.game_id = ANY (%(games)s::text[]))
      AND (o.market = ANY (%(exclude_markets)s::text[])) IS NOT TRUE
      AND (o.game_id IS NULL OR o.game_id <> ALL (%(exclude_games)s::text[]))
),

-- Rounds that the view has twice. A stale row's twin may be young, active or in another market, so this searches the
-- whole view. The planner chooses how: by each round's key, or in one pass.
doubled AS (
    SELECT o.partner, o.round_id
    FROM retention.open_rounds o
    WHERE (o.partner, o.round_id) IN (SELECT s.partner, s.round_id FROM stale s)
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
        WHEN EXISTS (
            SELECT FROM retention.cancellations c JOIN retention.runs r ON r.run_id = c.run_id
            WHERE c.partner = f.partner AND c.round_id = f.round_id AND c.holds_round
              -- Rounds that an abandoned run never sent are planned again by this one.
              AND NOT (c.state IN ('planned', 'retrying') AND NOT c.may_have_taken_effect
                       AND (r.status IN ('halted', 'failed', 'cancelled') OR r.heartbeat_until < statement_timestamp()))
        ) THEN 'in_ledger'
        WHEN f.max_runs <= t.refused THEN 'given_up'
        ELSE 'eligible'
    END AS standing,
    t.tried > 0 AS tried_before
FROM stale f
LEFT JOIN doubled d ON d.partner = f.partner AND d.round_id = f.round_id
-- How the round ended in earlier runs.
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE c.state IN ('rejected', 'already_completed')) AS refused,
           count(*) FILTER (WHERE c.state = 'rejected' OR c.resolved_from IN ('rejected', 'in_doubt')
                                  OR c.review = 'not_asked') AS tried
    FROM retention.cancellations c WHERE c.partner = f.partner AND c.round_id = f.round_id
) t
