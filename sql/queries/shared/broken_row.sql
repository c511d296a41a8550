-- Fragment: the code of the defect of a row `o` of the operator's view; NULL for a row that can be cancelled.
-- Wrong is a value that the contract forbids, the vendor cannot take, or the ledger cannot keep exactly. Only ASCII
-- counts as control characters: in a database without an encoding, the other bytes are letters.
-- SQL alone names the defect, because a second version in Python would need PostgreSQL's calendar and numbers. A stake
-- with more than 18 decimals is a defect and is not rounded: every refund would differ from it.
CASE
    WHEN o.market IS NULL OR btrim(o.market) = '' THEN 'no_market'
    WHEN o.user_id IS NULL OR btrim(o.user_id) = '' THEN 'no_user_id'
    WHEN o.round_id IS NULL OR btrim(o.round_id) = '' THEN 'no_round_id'
    WHEN o.opened_at IS NULL THEN 'no_opened_at'
    WHEN char_length(o.user_id) > 32 OR o.user_id ~ E'[\\x01-\\x1f\\x7f]' THEN 'bad_user_id'
    WHEN char_length(o.round_id) > 36 OR o.round_id ~ E'[\\x01-\\x1f\\x7f]' THEN 'bad_round_id'
    WHEN char_length(o.game_id) > 32 OR btrim(o.game_id) = '' OR o.game_id ~ E'[\\x01-\\x1f\\x7f]' THEN 'bad_game_id'
    WHEN o.opened_at < timestamptz '2000-01-01 00:00:00+00' OR o.opened_at >= timestamptz '9001-01-01 00:00:00+00'
        THEN 'bad_opened_at'
    WHEN o.last_activity_at < timestamptz '2000-01-01 00:00:00+00'
         OR o.last_activity_at >= timestamptz '9001-01-01 00:00:00+00' THEN 'bad_last_activity_at'
    -- NaN and infinity are greater than any number; a digit beyond the eighteenth would be rounded away.
    WHEN abs(o.stake) >= 1e20 OR round(o.stake, 18) <> o.stake THEN 'bad_stake'
END
