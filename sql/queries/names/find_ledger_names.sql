-- Which of these names the ledger has. Each is looked for until it is found, and no further.
SELECT n.name
FROM unnest(%(names)s::text[]) AS n (name)
CROSS JOIN LATERAL (
    (
        SELECT FROM retention.cancellations c
        WHERE CASE %(kind)s::text WHEN 'market' THEN c.market WHEN 'game' THEN c.game_id WHEN 'partner' THEN c.partner END
              = n.name
        LIMIT 1
    )
    UNION ALL
    (SELECT FROM retention.runs r WHERE %(kind)s::text = 'policy' AND r.policy = n.name LIMIT 1)
) AS found
