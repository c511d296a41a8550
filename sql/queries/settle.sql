-- A batch of replies: attempts, cancellations and the operator's own table, together or not at all. A reply whose attempt
-- is not on record (its commit was lost) changes nothing, and comes back without an id.
WITH
-- include shared/settle_replies.sql
, closing AS (
    SELECT
        array_agg(partner ORDER BY id) AS partners, array_agg(round_id ORDER BY id) AS round_ids,
        array_agg(statement_timestamp() ORDER BY id) AS at, array_agg(currency ORDER BY id) AS currencies,
        array_agg(amount ORDER BY id) AS amounts, array_agg(transaction_id ORDER BY id) AS transaction_ids
    FROM locked WHERE state IN ('cancelled', 'already_cancelled') AND %(close_error)s::text IS NULL
    HAVING count(*) > 0
), closed AS MATERIALIZED (
    SELECT f.partner, f.round_id
    FROM closing c, LATERAL retention.close_rounds(
        c.partners, c.round_ids, c.at, c.currencies, c.amounts, c.transaction_ids) AS f (partner, round_id)
), unasked AS (
    -- A function that closes rounds that it was not asked about, or one twice, closes somebody else's.
    SELECT string_agg(DISTINCT coalesce(k.partner, 'NULL') || '/' || coalesce(k.round_id, 'NULL'), ', ') AS rounds
    FROM (SELECT partner, round_id, count(*) AS times FROM closed GROUP BY partner, round_id) k
    WHERE k.times > 1 OR NOT EXISTS (
        SELECT FROM locked r
        WHERE r.partner = k.partner AND r.round_id = k.round_id AND r.state IN ('cancelled', 'already_cancelled'))
    HAVING count(*) > 0
), left_open AS (
    -- The function did not return them. Where the view still has them open, it refused, and said nothing.
    SELECT r.id, coalesce((
        -- By the key: with EXISTS the planner may read the whole view.
        SELECT true FROM retention.open_rounds o WHERE o.partner = r.partner AND o.round_id = r.round_id LIMIT 1
    ), false) AS refused
    FROM locked r
    WHERE %(close_error)s::text IS NULL AND r.state IN ('cancelled', 'already_cancelled')
      AND NOT EXISTS (SELECT FROM closed k WHERE k.partner = r.partner AND k.round_id = r.round_id)
),
-- include shared/settle_rows.sql
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM unasked WHERE retention.refuse_closing('it returned rounds that it was not asked to close, or one twice: ' || rounds)
