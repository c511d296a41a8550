-- Purpose: Lists the rounds of a report that have discrepancies, and counts them all.
-- Locks: none.
-- Returns: a row per cancellation, in the order of their outcomes, at most `limit`; `total` counts all of them.
WITH

-- Rounds and totals select the same.
selected AS (
    -- include shared/report_selection.sql
)

SELECT
    s.partner, s.market,
    -- include shared/shown_user_id.sql
    AS user_id,
    s.round_id, s.at, s.currency, s.amount, s.stake_currency, s.stake, s.transaction_id, s.bet_transaction_id, s.state,
    s.conflict, s.incomplete,
    (SELECT
        -- include shared/shown_words.sql
    FROM (VALUES (s.detail)) AS t (words)) AS detail,
    count(*) OVER () AS total
FROM selected s
CROSS JOIN LATERAL (VALUES (s.user_id)) AS u (user_id)
-- These are the conditions of discrepancies_of.
WHERE s.conflict OR s.amount <> s.stake OR s.currency <> s.stake_currency OR s.transaction_id <> s.bet_transaction_id
   OR (s.incomplete AND s.state = 'cancelled' AND num_nulls(s.amount, s.currency, s.transaction_id) > 0)
ORDER BY s.at, s.id
LIMIT %(limit)s
