-- Fragment: whether one of the `standing_holds` matches the row `f`; NULL without holds. Where the row has no value for
-- a column, its key matches only holds that do not name the column. A view may have collations of its own. The IN
-- stands in the SELECT list below, where it is one hash for all rows: in its WHERE, PostgreSQL reads them for each row.
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
