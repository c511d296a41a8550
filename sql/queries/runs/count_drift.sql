-- Purpose: Counts the rounds of an approved run that are gone since its plan, for the rail `max_drift`. They are looked
--     up as a claim looks its rounds up.
-- Locks: none.
-- Returns: a row per reason, as rechecked_candidates.sql has them; NULL: the rounds may still be called, and
--     'not_planned': they are planned no more. No row for a run that is not approved, or has started since.
WITH

-- The rounds of the run.
approved AS (
    SELECT
        c.id, c.partner, c.market, c.game_id, c.user_id, c.round_id, c.opened_at, c.may_have_taken_effect, c.state,
        -- include shared/view_moment.sql
        AS as_of
    FROM retention.runs r JOIN retention.cancellations c ON c.run_id = r.run_id
    WHERE r.run_id = %(run_id)s AND r.approved_at IS NOT NULL AND r.approval_used_at IS NULL
),

-- The rounds that wait for their first call.
candidates AS (
    SELECT * FROM approved WHERE state = 'planned'
),

-- The operator's view and the holds are looked at once more.
rechecked AS (
    -- include shared/rechecked_candidates.sql
)

SELECT why, count(*) AS rounds FROM rechecked GROUP BY why
UNION ALL
SELECT 'not_planned', count(*) FROM approved WHERE state <> 'planned' HAVING count(*) > 0
