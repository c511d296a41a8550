-- The rounds that a policy looks at, and what stands against planning each of them ('eligible': nothing).
WITH stale AS MATERIALIZED (
    SELECT
        p.max_runs, o.partner, o.market, o.game_id, o.user_id, o.round_id, o.opened_at, o.stake, o.currency,
        o.bet_transaction_id
    FROM unnest(%(partners)s::text[], %(max_runs)s::integer[]) AS p (partner, max_runs)
    JOIN retention.open_rounds o ON o.partner = p.partner
    WHERE o.opened_at <= %(as_of)s::timestamptz - make_interval(secs => %(open_longer_than)s)
      AND (o.last_activity_at IS NULL OR %(idle_longer_than)s::float8 IS NULL
           OR o.last_activity_at <= %(as_of)s::timestamptz - make_interval(secs => %(idle_longer_than)s))
      AND (%(markets)s::text[] IS NULL OR o.market = ANY (%(markets)s::text[]))
      AND (%(games)s::text[] IS NULL OR o.game_id = ANY (%(games)s::text[]))
      AND o.market <> ALL (%(exclude_markets)s::text[])
      AND (o.game_id IS NULL OR o.game_id <> ALL (%(exclude_games)s::text[]))
), doubled AS (
    -- A stale row's twin may be young, active or in another market, so the whole view is asked. The planner chooses how:
    -- by each round's key, or in one pass.
    SELECT o.partner, o.round_id
    FROM retention.open_rounds o
    WHERE (o.partner, o.round_id) IN (SELECT s.partner, s.round_id FROM stale s)
    GROUP BY o.partner, o.round_id HAVING count(*) > 1
)
SELECT
    s.partner, s.market, s.game_id, s.user_id, s.round_id, s.opened_at, s.stake, s.currency, s.bet_transaction_id,
    CASE
        -- First of all: of a round that the view has twice, nobody can say what stands against it.
        WHEN d.round_id IS NOT NULL THEN 'doubled'
        WHEN EXISTS (
            SELECT FROM retention.holds h
            WHERE h.released_at IS NULL AND (h.until IS NULL OR h.until > %(as_of)s)
              AND (h.partner IS NULL OR h.partner = s.partner) AND (h.market IS NULL OR h.market = s.market)
              AND (h.game_id IS NULL OR h.game_id = s.game_id) AND (h.user_id IS NULL OR h.user_id = s.user_id)
              AND (h.round_id IS NULL OR h.round_id = s.round_id)
        ) THEN 'held'
        WHEN EXISTS (
            SELECT FROM retention.cancellations c JOIN retention.runs r ON r.run_id = c.run_id
            WHERE c.partner = s.partner AND c.round_id = s.round_id AND c.holds_round
              -- What an abandoned run never sent is no obstacle: it is planned again, by this one.
              AND NOT (c.state IN ('planned', 'retrying') AND NOT c.doubtful
                       AND (r.status IN ('halted', 'failed', 'cancelled') OR r.active_until < %(as_of)s))
        ) THEN 'in_ledger'
        WHEN s.max_runs <= (
            SELECT count(*) FROM retention.cancellations c
            WHERE c.partner = s.partner AND c.round_id = s.round_id AND c.state IN ('rejected', 'already_completed')
        ) THEN 'given_up'
        ELSE 'eligible'
    END AS standing
FROM stale s
LEFT JOIN doubled d ON d.partner = s.partner AND d.round_id = s.round_id
