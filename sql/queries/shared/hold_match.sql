-- Whether a hold stands on the row `f`; NULL where there are no holds. Where the row has no value that a hold asks for, its
-- key is that of a hold which does not ask for it: that one matches all the same, and no other does. A view may have
-- collations of its own. The look stands in a SELECT list, where it is one hash for all rows: in a WHERE, PostgreSQL joins
-- the holds with the kinds, and reads all holds anew for each row.
(
    SELECT bool_or(
        ARRAY[
            CASE WHEN k.by_partner THEN f.partner::text COLLATE "default" END,
            CASE WHEN k.by_market THEN f.market::text COLLATE "default" END,
            CASE WHEN k.by_game THEN f.game_id::text COLLATE "default" END,
            CASE WHEN k.by_user THEN f.user_id::text COLLATE "default" END,
            CASE WHEN k.by_round THEN f.round_id::text COLLATE "default" END
        ] IN (SELECT h.key FROM standing_holds h))
    FROM hold_kinds k
)
