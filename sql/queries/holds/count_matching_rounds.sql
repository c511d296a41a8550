-- How many rounds that are open now a hold on these fields matches.
SELECT count(*) AS rounds
FROM retention.open_rounds o
WHERE (%(partner)s::text IS NULL OR o.partner = %(partner)s) AND (%(market)s::text IS NULL OR o.market = %(market)s)
  AND (%(game_id)s::text IS NULL OR o.game_id = %(game_id)s) AND (%(user_id)s::text IS NULL OR o.user_id = %(user_id)s)
  AND (%(round_id)s::text IS NULL OR o.round_id = %(round_id)s)
