-- Fragment, and a statement of its own for EXPLAIN: the rounds that a policy looks at, as shared/judged_rounds.sql
-- judges them. A row that no run could plan may have no age, market or partner to be selected by, so every policy
-- counts it that could mean it. The index of the other rows also finds NULL times and those beyond 9000.
-- One text, so that a run plans exactly the rounds that `plan` shows. An SQL function would put the rule into the
-- schema; the rule could then not be rolled out with the code.
WITH

-- include shared/standing_holds.sql
,

-- The view's rows within the policy's ages, partners, markets and games.
looked_at AS MATERIALIZED (
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
    WHERE
        -- include shared/stale_match.sql
),

-- include shared/judged_rounds.sql
