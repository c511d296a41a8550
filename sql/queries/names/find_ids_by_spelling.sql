-- Users' or rounds' ids, of the view and of the ledger, that are among these.
SELECT DISTINCT k.id
FROM (
    -- include shared/known_ids.sql
) AS k
WHERE k.id = ANY (%(spellings)s::text[])
LIMIT 3
