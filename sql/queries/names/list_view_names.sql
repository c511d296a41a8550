-- Purpose: Lists the markets, games or partners of the operator's view.
-- Locks: none.
-- Returns: a row per name, in order.
SELECT d.name
FROM (
    SELECT DISTINCT
        CASE %(kind)s::text WHEN 'market' THEN market WHEN 'game' THEN game_id WHEN 'partner' THEN partner END AS name
    FROM retention.open_rounds
) AS d
WHERE d.name IS NOT NULL
ORDER BY d.name
LIMIT %(limit)s
