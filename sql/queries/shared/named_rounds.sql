-- Fragment: the open rounds that a person names by `partners` and `round_ids`, as shared/judged_rounds.sql judges them.
-- Age, activity, market and game decide nothing here. `max_runs` has the partner's limit for each name.
WITH

-- include shared/standing_holds.sql
,

-- The view's rows of these rounds.
looked_at AS MATERIALIZED (
    SELECT
        n.max_runs, o.partner, o.market, o.game_id, o.user_id, o.round_id, o.opened_at, o.last_activity_at, o.stake,
        o.currency, o.bet_transaction_id,
        -- include shared/broken_row.sql
        AS broken
    FROM unnest(%(partners)s::text[], %(round_ids)s::text[], %(max_runs)s::integer[]) AS n (partner, round_id, max_runs)
    JOIN retention.open_rounds o ON o.partner = n.partner AND o.round_id = n.round_id
),

-- include shared/judged_rounds.sql
