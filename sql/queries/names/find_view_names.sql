-- Purpose: Finds which of these names the operator's view has. Each search ends at the first match.
-- Locks: none.
-- Returns: a row per name that it has.
SELECT n.name
FROM unnest(%(names)s::text[]) AS n (name)
CROSS JOIN LATERAL (
    SELECT FROM retention.open_rounds o
    WHERE CASE %(kind)s::text WHEN 'market' THEN o.market WHEN 'game' THEN o.game_id WHEN 'partner' THEN o.partner END
          = n.name
    LIMIT 1
) AS found
