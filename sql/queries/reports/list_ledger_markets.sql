-- Purpose: Lists the markets of the ledger's rounds.
-- Locks: none.
-- Returns: a row per market.
SELECT DISTINCT c.market
FROM retention.cancellations c
JOIN retention.runs r ON r.run_id = c.run_id
WHERE %(policies)s::text[] IS NULL OR r.policy = ANY (%(policies)s::text[])
ORDER BY c.market
