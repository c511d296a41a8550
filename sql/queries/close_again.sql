-- Calls the operator's function once more for rounds that are cancelled and may still be open there; each of them is
-- returned, with what came of it. Where the view has another round under the same id, the function is not called.
WITH locked AS (
    SELECT
        c.*,
        -- include shared/became_at.sql
        AS cancelled_at
    FROM retention.cancellations c
    WHERE c.id = ANY (%(ids)s::bigint[]) AND coalesce(c.resolved_as, c.state) IN ('cancelled', 'already_cancelled')
      AND c.conflict
    ORDER BY c.id FOR UPDATE OF c
), seen AS (
    SELECT l.*, EXISTS (
        SELECT FROM retention.open_rounds o
        WHERE o.partner = l.partner AND o.round_id = l.round_id
          AND (o.opened_at IS DISTINCT FROM l.opened_at OR o.user_id IS DISTINCT FROM l.user_id
               OR o.market IS DISTINCT FROM l.market)) AS another
    FROM locked l
), closing AS (
    SELECT
        array_agg(partner ORDER BY id) AS partners, array_agg(round_id ORDER BY id) AS round_ids,
        array_agg(cancelled_at ORDER BY id) AS at, array_agg(currency ORDER BY id) AS currencies,
        array_agg(amount ORDER BY id) AS amounts, array_agg(transaction_id ORDER BY id) AS transaction_ids
    FROM seen WHERE NOT another
    HAVING count(*) > 0
), closed AS MATERIALIZED (
    SELECT f.partner, f.round_id
    FROM closing c, LATERAL retention.close_rounds(
        c.partners, c.round_ids, c.at, c.currencies, c.amounts, c.transaction_ids) AS f (partner, round_id)
), unasked AS (
    -- As in settle.sql: a function that closes rounds that it was not asked about, or one twice, closes somebody else's.
    SELECT string_agg(DISTINCT coalesce(k.partner, 'NULL') || '/' || coalesce(k.round_id, 'NULL'), ', ') AS rounds
    FROM (SELECT partner, round_id, count(*) AS times FROM closed GROUP BY partner, round_id) k
    WHERE k.times > 1
       OR NOT EXISTS (SELECT FROM seen s WHERE s.partner = k.partner AND s.round_id = k.round_id AND NOT s.another)
    HAVING count(*) > 0
)
SELECT
    s.id, s.partner, s.round_id, s.state, s.detail, s.another, statement_timestamp() AS at,
    EXISTS (SELECT FROM closed k WHERE k.partner = s.partner AND k.round_id = s.round_id) AS closed
FROM seen s
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM unasked WHERE retention.refuse_closing('it returned rounds that it was not asked to close, or one twice: ' || rounds)
