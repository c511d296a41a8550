-- Purpose: Finds ids of users or rounds, in the view and the ledger, that differ from a given one only by case and
--     punctuation.
-- Locks: none.
-- Returns: the first few of them.
SELECT DISTINCT k.id
FROM (
    -- include shared/known_ids.sql
) AS k
WHERE translate(lower(k.id), %(punctuation)s::text, '') = %(folded)s::text AND k.id <> %(given)s::text
LIMIT 3
