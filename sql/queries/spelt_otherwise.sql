-- Users' or rounds' ids, of the view and of the ledger, that differ from a given one by case and punctuation alone.
SELECT DISTINCT k.id
FROM (
    SELECT CASE %(column)s::text WHEN 'user_id' THEN user_id ELSE round_id END AS id FROM retention.open_rounds
    UNION ALL
    SELECT CASE %(column)s::text WHEN 'user_id' THEN user_id ELSE round_id END FROM retention.cancellations
) AS k
WHERE translate(lower(k.id), %(punctuation)s::text, '') = %(folded)s::text AND k.id <> %(given)s::text
LIMIT 3
