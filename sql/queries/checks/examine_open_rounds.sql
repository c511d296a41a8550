-- Purpose: Reads every column of every open round once, and describes the rounds by partner and market. The counts of
--     columns only have each value computed, so that a row that raises is found before it is stale.
-- Locks: none.
-- Returns: a row per partner and market, the most frequent first: times that make sense, and the rounds of the future.
SELECT
    o.partner, o.market, count(*) AS rounds,
    min(o.opened_at) FILTER (WHERE o.opened_at >= timestamptz '2000-01-01 00:00:00+00'
                                   AND o.opened_at < timestamptz '9001-01-01 00:00:00+00') AS oldest,
    max(o.opened_at) FILTER (WHERE o.opened_at > %(as_of)s::timestamptz
                                   AND o.opened_at < timestamptz '9001-01-01 00:00:00+00') AS newest_ahead,
    count(*) FILTER (WHERE o.opened_at > %(as_of)s::timestamptz + interval '1 minute'
                           AND o.opened_at < timestamptz '9001-01-01 00:00:00+00') AS ahead,
    (array_agg(left(o.round_id, %(longest)s) ORDER BY o.opened_at DESC, o.round_id)
        FILTER (WHERE o.opened_at > %(as_of)s::timestamptz + interval '1 minute'
                      AND o.opened_at < timestamptz '9001-01-01 00:00:00+00'))[1:%(shown)s] AS first_ahead,
    count(o.game_id) + count(o.user_id) + count(o.last_activity_at) + count(o.currency) + count(o.stake)
        + count(o.bet_transaction_id) AS values_read
FROM retention.open_rounds o
GROUP BY o.partner, o.market ORDER BY rounds DESC, o.partner, o.market LIMIT %(limit)s
