-- Fragment, as CTEs: the holds that stand now, and the combinations of columns that they name. Each combination is one
-- look-up in a hash of keys, since comparing every round with every hold takes time proportional to both numbers.
-- The look-up stands in a SELECT list. In a WHERE clause PostgreSQL would join holds and combinations again for each
-- round.

-- Each hold with its key.
standing_holds AS MATERIALIZED (
    SELECT
        h.partner, h.market, h.game_id, h.user_id, h.round_id,
        ARRAY[h.partner, h.market, h.game_id, h.user_id, h.round_id] AS key
    FROM retention.holds h
    WHERE h.released_at IS NULL AND (h.until IS NULL OR h.until > statement_timestamp())
),

-- Each combination of columns, once.
hold_kinds AS MATERIALIZED (
    SELECT DISTINCT
        h.partner IS NOT NULL AS by_partner, h.market IS NOT NULL AS by_market, h.game_id IS NOT NULL AS by_game,
        h.user_id IS NOT NULL AS by_user, h.round_id IS NOT NULL AS by_round
    FROM standing_holds h
)
