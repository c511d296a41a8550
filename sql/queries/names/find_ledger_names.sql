-- Purpose: Finds which of these names the ledger has. Each search ends at the first match.
-- Locks: none.
-- Returns: a row per name that it has.
SELECT n.name
FROM unnest(%(names)s::text[]) AS n (name)
CROSS JOIN LATERAL (
    (
        SELECT FROM retention.cancellations c
        WHERE n.name = CASE %(kind)s::text
            WHEN 'market' THEN c.market WHEN 'game' THEN c.game_id WHEN 'partner' THEN c.partner END
        LIMIT 1
    )
    UNION ALL
    (SELECT FROM retention.runs r WHERE %(kind)s::text = 'policy' AND r.policy = n.name LIMIT 1)
) AS found
