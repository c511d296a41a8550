-- Purpose: Lists the markets, games, partners or policies of the ledger.
-- Locks: none.
-- Returns: a row per name, in order.
SELECT d.name
FROM (
    SELECT DISTINCT
        CASE %(kind)s::text WHEN 'market' THEN market WHEN 'game' THEN game_id WHEN 'partner' THEN partner END AS name
    FROM retention.cancellations
    WHERE %(kind)s::text <> 'policy'
    UNION ALL
    SELECT DISTINCT policy FROM retention.runs WHERE %(kind)s::text = 'policy'
) AS d
WHERE d.name IS NOT NULL
ORDER BY d.name
LIMIT %(limit)s
