-- Every hold that ever matched a round, as it is open now or as a run found it; ended ones too.
WITH known AS (
    SELECT partner, market, game_id, user_id, round_id FROM retention.open_rounds
    WHERE partner = %(partner)s AND round_id = %(round_id)s
    UNION
    SELECT partner, market, game_id, user_id, round_id FROM retention.cancellations
    WHERE partner = %(partner)s AND round_id = %(round_id)s
    UNION
    SELECT %(partner)s, NULL, NULL, NULL, %(round_id)s
)
SELECT
    h.hold_id, h.partner, h.market, h.game_id, h.user_id, h.round_id, h.reason, h.created_by, h.created_at, h.until,
    h.released_at, h.released_by
FROM retention.holds h
WHERE EXISTS (
    SELECT FROM known k
    WHERE (h.partner IS NULL OR h.partner = k.partner) AND (h.market IS NULL OR h.market = k.market)
      AND (h.game_id IS NULL OR h.game_id = k.game_id) AND (h.user_id IS NULL OR h.user_id = k.user_id)
      AND (h.round_id IS NULL OR h.round_id = k.round_id))
ORDER BY h.hold_id
