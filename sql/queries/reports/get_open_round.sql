-- Purpose: Reads a round from the operator's view. `broken` is the code of its row's defect; times that no
--     calendar has are NULL.
-- Locks: none.
-- Returns: a row per row of the view.
SELECT
    o.partner, o.market, o.game_id, o.user_id, o.round_id,
    CASE WHEN o.opened_at >= timestamptz '2000-01-01 00:00:00+00'
              AND o.opened_at < timestamptz '9001-01-01 00:00:00+00' THEN o.opened_at END AS opened_at,
    CASE WHEN o.last_activity_at >= timestamptz '2000-01-01 00:00:00+00'
              AND o.last_activity_at < timestamptz '9001-01-01 00:00:00+00' THEN o.last_activity_at END
        AS last_activity_at,
    o.currency, o.stake, o.bet_transaction_id,
    -- include shared/broken_row.sql
    AS broken
FROM retention.open_rounds o
WHERE o.partner = %(partner)s AND o.round_id = %(round_id)s
ORDER BY o.opened_at, o.user_id, o.market
