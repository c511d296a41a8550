-- The operator's function with nothing to close. The transaction around it is undone.
SELECT f.partner, f.round_id
FROM retention.close_rounds(
    '{}'::text[], '{}'::text[], '{}'::timestamptz[], '{}'::text[], '{}'::numeric[], '{}'::text[]) AS f (partner, round_id)
LIMIT 5
