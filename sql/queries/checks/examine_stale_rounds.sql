-- Purpose: Runs a policy's stale query once: the plan that a run would make, and what is odd about its rounds.
-- Locks: none.
-- Returns: the groups of preview_plan; a group per oddity and partner of the planned rounds; a group per reason and
--     partner of the others. Oddities and broken rows have their first rounds.
WITH

-- include shared/chosen_rounds.sql

SELECT
    'eligible' AS standing, partner, market, game_id, currency, min(opened_at) AS oldest, NULL::text[] AS first_rounds,
    -- include shared/stake_sums.sql
FROM chosen GROUP BY partner, market, game_id, currency
UNION ALL
SELECT
    v.oddity, c.partner, NULL, NULL, NULL, NULL,
    (array_agg(left(c.round_id, %(longest)s) ORDER BY c.round_id))[1:%(shown)s], count(*), NULL, 0
FROM chosen c
CROSS JOIN LATERAL (VALUES
    ('no_stake', c.stake IS NULL), ('negative_stake', c.stake < 0),
    ('no_currency', c.stake IS NOT NULL AND c.currency IS NULL), ('bad_currency', c.currency !~ '^[A-Z]{3}$'))
    AS v (oddity, holds)
WHERE v.holds GROUP BY v.oddity, c.partner
UNION ALL
SELECT
    s.standing, s.partner, NULL, NULL, NULL, NULL,
    (array_agg(left(s.round_id, %(longest)s) ORDER BY s.round_id)
        FILTER (WHERE s.broken IS NOT NULL OR s.standing = 'doubled'))[1:%(shown)s], count(*), NULL, 0
FROM stale s WHERE s.standing <> 'eligible' GROUP BY s.standing, s.partner
