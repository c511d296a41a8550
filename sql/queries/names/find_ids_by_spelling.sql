-- Purpose: Finds ids of users or rounds, in the view and the ledger, among given spellings.
-- Locks: none.
-- Returns: the first few of them.
SELECT DISTINCT k.id
FROM (
    -- include shared/known_ids.sql
) AS k
WHERE k.id = ANY (%(spellings)s::text[])
LIMIT 3
