-- Purpose: Lists the holds that stand now and match rounds of a run's plan. Each round has a key per combination of
--     columns that holds name, so that no round is compared with every hold.
-- Locks: none.
-- Returns: a row per hold, with how many planned rounds it matches.
WITH

-- The holds that stand now, each with its key and the columns that it names.
standing AS MATERIALIZED (
    SELECT
        h.*, ARRAY[h.partner, h.market, h.game_id, h.user_id, h.round_id] AS key,
        num_nulls(h.partner) + 2 * num_nulls(h.market) + 4 * num_nulls(h.game_id) + 8 * num_nulls(h.user_id)
            + 16 * num_nulls(h.round_id) AS columns
    FROM retention.holds h
    WHERE h.released_at IS NULL AND (h.until IS NULL OR h.until > statement_timestamp())
),

-- How many rounds each key matches.
matched AS (
    SELECT k.columns, k.key, count(*) AS rounds
    FROM (
        SELECT
            s.columns, ARRAY[
                CASE WHEN s.columns & 1 = 0 THEN c.partner END,
                CASE WHEN s.columns & 2 = 0 THEN c.market END,
                CASE WHEN s.columns & 4 = 0 THEN c.game_id END,
                CASE WHEN s.columns & 8 = 0 THEN c.user_id END,
                CASE WHEN s.columns & 16 = 0 THEN c.round_id END] AS key
        FROM retention.cancellations c CROSS JOIN (SELECT DISTINCT columns FROM standing) s
        WHERE c.run_id = %(run_id)s
    ) k
    WHERE (k.columns, k.key) IN (SELECT s.columns, s.key FROM standing s)
    GROUP BY k.columns, k.key
)

SELECT
    s.hold_id, s.partner, s.market, s.game_id, s.user_id, s.round_id, s.reason, s.created_by, s.created_at, s.until,
    m.rounds
FROM standing s JOIN matched m ON m.columns = s.columns AND m.key = s.key
ORDER BY s.hold_id
