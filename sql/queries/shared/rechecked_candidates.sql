-- Fragment: looks the rounds of `candidates` up in the operator's view and in the holds once more. `candidates` has the
-- columns of a cancellation and, as `as_of`, shared/view_moment.sql of its run. `why` is NULL where the round is the
-- one that was planned, and may be called. No value of the view makes this fail: one such row would stop all others of
-- its claim.
WITH
-- include shared/standing_holds.sql
,

-- Each candidate beside the view's rows with its key.
seen AS (
    SELECT
        c.id, c.may_have_taken_effect, count(o.round_id) AS rows,
        max(o.opened_at) AS opened_at, max(o.market) AS market, max(o.last_activity_at) AS last_activity_at,
        max(
            -- include shared/broken_row.sql
        ) AS broken,
        bool_and(o.opened_at IS NOT DISTINCT FROM c.opened_at) AS same_opening,
        bool_and(o.user_id IS NOT DISTINCT FROM c.user_id) AS same_user,
        bool_and(o.market IS NOT DISTINCT FROM c.market) AS same_market,
        coalesce(bool_or(o.last_activity_at > least(
            c.as_of, statement_timestamp() - make_interval(secs => coalesce(%(idle_longer_than)s::float8, 0)))), false)
            AS came_back,
        bool_or(EXISTS (
            SELECT
            FROM (VALUES (c.partner, c.market, c.game_id, c.user_id, c.round_id),
                         (c.partner, c.market, o.game_id, c.user_id, c.round_id))
                AS f (partner, market, game_id, user_id, round_id)
            WHERE
                -- include shared/on_hold.sql
        )) AS held
    FROM candidates c
    LEFT JOIN retention.open_rounds o ON o.partner = c.partner AND o.round_id = c.round_id
    GROUP BY c.id, c.may_have_taken_effect
)

SELECT
    s.id, s.may_have_taken_effect,
    CASE
        WHEN s.rows = 0 THEN 'closed'
        WHEN s.rows > 1 THEN 'doubled'
        WHEN NOT s.same_opening THEN 'opened_again'
        WHEN NOT s.same_user THEN 'another_user'
        WHEN NOT s.same_market THEN 'another_market'
        WHEN s.broken IS NOT NULL THEN 'broken'
        WHEN s.came_back THEN 'came_back'
        WHEN s.held THEN 'held'
    END AS why,
    s.rows, s.opened_at, s.market, s.last_activity_at, s.broken
FROM seen s
