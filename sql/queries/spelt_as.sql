-- Users' or rounds' ids, of the view and of the ledger, that are among these.
SELECT DISTINCT k.id
FROM (
    SELECT CASE %(column)s::text WHEN 'user_id' THEN user_id ELSE round_id END AS id FROM retention.open_rounds
    UNION ALL
    SELECT CASE %(column)s::text WHEN 'user_id' THEN user_id ELSE round_id END FROM retention.cancellations
) AS k
WHERE k.id = ANY (%(spellings)s::text[])
LIMIT 3
