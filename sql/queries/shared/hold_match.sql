-- Fragment: whether the hold `h` matches the round `k`: all fields that the hold names are equal.
(h.partner IS NULL OR h.partner = k.partner) AND (h.market IS NULL OR h.market = k.market)
AND (h.game_id IS NULL OR h.game_id = k.game_id) AND (h.user_id IS NULL OR h.user_id = k.user_id)
AND (h.round_id IS NULL OR h.round_id = k.round_id)
