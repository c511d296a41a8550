-- Fragment: ids of users or rounds, from the operator's view and the ledger.
SELECT CASE %(column)s::text WHEN 'user_id' THEN user_id ELSE round_id END AS id FROM retention.open_rounds
UNION ALL
SELECT CASE %(column)s::text WHEN 'user_id' THEN user_id ELSE round_id END FROM retention.cancellations
