-- Fragment, as CTEs: in `pending`, the rounds that were open and stale at some moment from `start` (NULL: ever) to
-- `end`. The head of retention/reports/kinds/pending.py explains the rules.
-- Each source is read once and in one pass: a look-up per round would need an index that the view may not have.

-- The policies that make a round stale.
scopes AS MATERIALIZED (
    SELECT
        s.policy, s.partners, s.markets, s.exclude_markets, s.games, s.exclude_games,
        make_interval(secs => s.open_longer_than) AS open_longer_than,
        make_interval(secs => s.idle_longer_than) AS idle_longer_than
    FROM jsonb_to_recordset(%(scopes)s::jsonb) AS s (
        policy text, partners text[], markets text[], exclude_markets text[], games text[], exclude_games text[],
        open_longer_than float8, idle_longer_than float8)
),

-- The rounds of the ledger, as the newest run planned them. Times are compared faster than ids, so they come first.
planned AS (
    SELECT DISTINCT ON (c.opened_at, c.round_id, c.partner)
        c.partner, c.market, c.game_id, c.user_id, c.round_id, c.opened_at, c.stake, c.stake_currency, c.run_id,
        r.policy, c.state, b.outcome,
        min(r.as_of) FILTER (WHERE %(policies)s::text[] IS NULL OR r.policy = ANY (%(policies)s::text[]))
            OVER w AS first_planned_at,
        max(r.as_of) OVER w AS last_planned_at,
        min(c.last_activity_at) OVER w AS last_activity_at,
        max(b.at) FILTER (WHERE b.outcome IN ('cancelled', 'already_cancelled')) OVER w AS cancelled_at,
        greatest(
            max(b.at) FILTER (WHERE b.outcome = 'already_completed') OVER w,
            -- A round that a later run planned again had not ended; neither has one whose player came back.
            CASE WHEN b.outcome = 'no_longer_open'
                      AND (c.state = 'resolved' OR starts_with(c.detail, %(came_back)s) IS NOT TRUE) THEN b.at END
        ) AS completed_at
    FROM retention.cancellations c
    JOIN retention.runs r ON r.run_id = c.run_id
    CROSS JOIN LATERAL (
        SELECT
            coalesce(c.resolved_as, c.state) AS outcome,
            -- include shared/outcome_time.sql
            AS at
    ) b
    WINDOW w AS (PARTITION BY c.opened_at, c.round_id, c.partner)
    ORDER BY c.opened_at, c.round_id, c.partner, c.id DESC
),

-- The rounds of the view, each once. `usable`: a plan could take it.
present AS (
    SELECT v.*, v.copies = 1 AND v.broken IS NULL AS usable
    FROM (
        SELECT
            o.partner, o.market, o.game_id, o.user_id, o.round_id, o.opened_at, o.last_activity_at, o.stake, o.currency,
            -- include shared/broken_row.sql
            AS broken,
            count(*) OVER (PARTITION BY o.round_id COLLATE "C", o.partner COLLATE "C") AS copies,
            row_number() OVER (PARTITION BY o.round_id COLLATE "C", o.partner COLLATE "C", o.opened_at) AS nth
        FROM retention.open_rounds o
    ) v
    WHERE v.nth = 1
),

-- Both. The ledger's values stay as they are when the view's change.
known AS (
    SELECT
        coalesce(p.partner, v.partner) AS partner, coalesce(p.market, v.market) AS market,
        CASE WHEN p.partner IS NULL THEN v.game_id ELSE p.game_id END AS game_id,
        coalesce(p.user_id, v.user_id) AS user_id, coalesce(p.round_id, v.round_id) AS round_id,
        coalesce(p.opened_at, v.opened_at) AS opened_at,
        coalesce(p.last_activity_at, CASE WHEN v.usable THEN v.last_activity_at END) AS last_activity_at,
        CASE WHEN p.partner IS NULL THEN v.stake ELSE p.stake END AS stake,
        CASE WHEN p.partner IS NULL THEN v.currency ELSE p.stake_currency END AS stake_currency,
        p.run_id, p.policy, p.state, p.outcome AS last_outcome, p.first_planned_at, p.last_planned_at,
        v.partner IS NOT NULL AS in_view, v.usable,
        CASE
            WHEN p.cancelled_at IS NOT NULL THEN 'cancelled'
            WHEN v.partner IS NOT NULL THEN 'open'
            WHEN p.completed_at IS NOT NULL THEN 'completed'
            ELSE 'gone'
        END AS fate,
        CASE
            WHEN p.cancelled_at IS NOT NULL THEN p.cancelled_at
            -- The view had the round at the newest plan. `greatest` ignores NULL.
            WHEN v.partner IS NULL THEN greatest(p.completed_at, p.last_planned_at)
        END AS left_at
    FROM planned p
    FULL JOIN present v ON v.opened_at = p.opened_at AND v.round_id = p.round_id AND v.partner = p.partner
    WHERE p.partner IS NOT NULL OR v.usable
),

-- Since when each is stale.
dated AS (
    SELECT
        k.*, coalesce(k.policy, s.policy) AS shown_policy,
        -- No round becomes stale after it has ended: each ended round has to have begun.
        least(k.first_planned_at, s.at, k.left_at) AS stale_at
    FROM known k
    LEFT JOIN LATERAL (
        SELECT p.policy, greatest(k.opened_at + p.open_longer_than, k.last_activity_at + p.idle_longer_than) AS at
        FROM scopes p
        WHERE k.partner = ANY (p.partners)
          AND (p.markets IS NULL OR k.market = ANY (p.markets))
          AND (p.games IS NULL OR k.game_id = ANY (p.games))
          AND k.market <> ALL (p.exclude_markets)
          AND (k.game_id IS NULL OR k.game_id <> ALL (p.exclude_games))
        ORDER BY at, p.policy LIMIT 1
    ) s ON true
    WHERE (k.first_planned_at IS NOT NULL OR coalesce(s.at <= k.left_at, s.at IS NOT NULL))
      AND (%(markets)s::text[] IS NULL OR k.market = ANY (%(markets)s::text[]))
),

-- Those of the period.
pending AS (
    SELECT
        d.*, d.stale_at < coalesce(%(start)s::timestamptz, '-infinity') AS at_begin,
        coalesce(d.left_at >= %(end)s::timestamptz, true) AS at_end,
        CASE WHEN d.left_at < %(end)s::timestamptz THEN d.fate ELSE 'open' END AS became,
        CASE WHEN d.left_at < %(end)s::timestamptz AND d.fate <> 'gone' THEN d.left_at END AS ended_at
    FROM dated d
    WHERE d.stale_at < %(end)s::timestamptz
      AND coalesce(d.left_at >= %(start)s::timestamptz, true)
)
