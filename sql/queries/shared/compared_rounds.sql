-- Fragment, as CTEs: in `compared`, each round of the runs `run_ids` and of the plan of now, once, with its `word`.
-- retention/core/planning/plan_comparison.py explains the words. `why` tells more where a word has several reasons. A
-- round is looked up in the view as a claim looks it up, and judged as a plan judges it.

-- include shared/chosen_rounds.sql
,

-- The rounds of the runs. A round of several runs counts once, as the first of them planned it: what the player did
-- after that would have come too late. The view's user stands in for one that has become a pseudonym.
candidates AS MATERIALIZED (
    SELECT DISTINCT ON (c.partner, c.round_id)
        c.id, c.partner, c.market, c.game_id, c.round_id, c.opened_at, c.stake, c.stake_currency, c.state,
        c.may_have_taken_effect, r.run_id,
        -- include shared/view_moment.sql
        AS as_of,
        CASE WHEN c.user_id ~ '^pseudonym:[A-Za-z0-9_-]{22}$'
             THEN coalesce((SELECT max(o.user_id) FROM retention.open_rounds o
                            WHERE o.partner = c.partner AND o.round_id = c.round_id), c.user_id)
             ELSE c.user_id END AS user_id
    FROM retention.runs r JOIN retention.cancellations c ON c.run_id = r.run_id
    WHERE r.run_id = ANY (%(run_ids)s::uuid[])
    ORDER BY c.partner, c.round_id, r.as_of, c.id
),

-- Each of them in the view and in the holds now.
rechecked AS MATERIALIZED (
    -- include shared/rechecked_candidates.sql
),

-- What the ledger knows of these very rounds, from whichever run.
learned AS (
    SELECT
        t.id,
        bool_or(coalesce(c.resolved_as, c.state) IN ('cancelled', 'already_cancelled')) AS cancelled,
        bool_or(coalesce(c.resolved_as, c.state) = 'already_completed') AS completed,
        bool_or(c.holds_round AND c.may_have_taken_effect) AS in_doubt
    FROM candidates t
    JOIN retention.cancellations c
        ON c.partner = t.partner AND c.round_id = t.round_id AND c.opened_at = t.opened_at
    GROUP BY t.id
),

-- How the plan of now judges each round. A round that the view has twice is doubled, whatever its rows say.
standings AS (
    SELECT partner, round_id, standing, market, game_id, user_id, opened_at, stake, currency FROM chosen
    UNION ALL
    SELECT partner, round_id, max(standing), NULL, NULL, NULL, NULL, NULL, NULL FROM stale WHERE standing <> 'eligible'
    GROUP BY partner, round_id
),

-- The first word or reason that fits. Full joins are hashed or merged, never nested: without statistics the planner
-- takes these sets for small ones.
judged AS (
    SELECT
        coalesce(t.partner, s.partner) AS partner, coalesce(t.round_id, s.round_id) AS round_id, t.id, t.market,
        t.game_id, t.user_id, t.opened_at, t.run_id, t.stake, t.stake_currency AS currency,
        coalesce(s.standing = 'eligible', false) AS planned_now, s.market AS market_now, s.game_id AS game_now,
        s.user_id AS user_now, s.opened_at AS opened_now, s.stake AS stake_now, s.currency AS currency_now,
        k.last_activity_at,
        CASE
            WHEN t.id IS NULL THEN 'new'
            WHEN l.cancelled THEN 'cancelled'
            WHEN l.completed THEN 'completed'
            WHEN k.why = 'closed' AND l.in_doubt THEN 'in_ledger'
            WHEN k.why = 'closed' THEN 'gone'
            WHEN k.why = 'doubled' THEN k.why
            -- A value that is missing or makes no sense does not prove another round.
            WHEN k.broken IS NOT NULL THEN k.broken
            WHEN k.why IN ('opened_again', 'another_user', 'another_market') THEN k.why
            WHEN k.why = 'came_back' AND k.last_activity_at > t.as_of THEN 'active'
            WHEN k.why = 'held' OR s.standing = 'held' THEN 'held'
            WHEN s.standing IS NULL THEN 'not_selected'
            WHEN s.standing <> 'eligible' THEN s.standing
            WHEN (s.stake, s.currency) IS DISTINCT FROM (t.stake, t.stake_currency) THEN 'changed_stake'
            ELSE 'still_stale'
        END AS why
    FROM candidates t
    FULL JOIN rechecked k ON k.id = t.id
    FULL JOIN learned l ON l.id = t.id
    FULL JOIN standings s ON s.partner = t.partner AND s.round_id = t.round_id
    WHERE t.id IS NOT NULL OR s.standing = 'eligible'
),

-- All of them, and the rounds of the plan that no run had. A round that came back may be planned all the same.
compared AS (
    SELECT
        partner, round_id, run_id, planned_now,
        CASE WHEN why = 'new' THEN market_now ELSE market END AS market,
        CASE WHEN why = 'new' THEN game_now ELSE game_id END AS game_id,
        CASE WHEN why = 'new' THEN user_now ELSE user_id END AS user_id,
        CASE WHEN why = 'new' THEN opened_now ELSE opened_at END AS opened_at,
        CASE WHEN why = 'new' THEN stake_now ELSE stake END AS stake,
        CASE WHEN why = 'new' THEN currency_now ELSE currency END AS currency,
        CASE
            WHEN why = ANY (%(words)s::text[]) THEN why
            WHEN why IN ('opened_again', 'another_user', 'another_market') THEN 'another_round'
            ELSE 'left_out'
        END AS word,
        CASE WHEN why <> ALL (%(words)s::text[]) THEN why END AS why,
        CASE WHEN why = 'active' THEN last_activity_at END AS last_activity_at,
        CASE WHEN why = 'changed_stake' THEN stake_now END AS stake_now,
        CASE WHEN why = 'changed_stake' THEN currency_now END AS currency_now
    FROM judged
)
