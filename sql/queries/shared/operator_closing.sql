-- Fragment, as CTEs: has the operator's function close the rounds of `asked`. `unasked` has a row where the function
-- returned rounds that are not of `asked`, or a round twice: then it has closed rounds of others.

-- The function takes arrays, and is not called with empty ones.
closing AS (
    SELECT
        array_agg(partner ORDER BY id) AS partners, array_agg(round_id ORDER BY id) AS round_ids,
        array_agg(cancelled_at ORDER BY id) AS at, array_agg(currency ORDER BY id) AS currencies,
        array_agg(amount ORDER BY id) AS amounts, array_agg(transaction_id ORDER BY id) AS transaction_ids
    FROM asked
    HAVING count(*) > 0
),

-- The rounds that the function returns.
closed AS MATERIALIZED (
    SELECT f.partner, f.round_id
    FROM closing c, LATERAL retention.close_rounds(
        c.partners, c.round_ids, c.at, c.currencies, c.amounts, c.transaction_ids) AS f (partner, round_id)
),

-- The rounds that it should not have returned.
unasked AS (
    SELECT string_agg(DISTINCT coalesce(k.partner, 'NULL') || '/' || coalesce(k.round_id, 'NULL'), ', ') AS rounds
    FROM (SELECT partner, round_id, count(*) AS times FROM closed GROUP BY partner, round_id) k
    WHERE k.times > 1 OR NOT EXISTS (SELECT FROM asked a WHERE a.partner = k.partner AND a.round_id = k.round_id)
    HAVING count(*) > 0
)
