-- Users' or rounds' ids, of the view and of the ledger, that differ from a given one by case and punctuation alone.
SELECT DISTINCT k.id
FROM (
    -- include shared/known_ids.sql
) AS k
WHERE translate(lower(k.id), %(punctuation)s::text, '') = %(folded)s::text AND k.id <> %(given)s::text
LIMIT 3
