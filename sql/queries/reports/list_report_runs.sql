-- Purpose: Lists the runs that have rounds in a report, and counts them all.
-- Locks: none.
-- Returns: a row per run, oldest first, at most `limit`; `total` counts all of them.
WITH

-- Rounds and totals select the same.
selected AS (
    -- include shared/report_selection.sql
),

-- The number of rounds of each run.
counted AS (
    SELECT s.run_id, count(*) AS rounds
    FROM selected s
    GROUP BY s.run_id
)

SELECT
    r.run_id, r.policy, r.trigger, r.mode, r.status, r.scheduled_for, r.as_of, r.requested_by, w.reason, w.evidence,
    r.approved_by, r.approved_at, w.note, w.overrides, r.plan_digest, c.rounds, count(*) OVER () AS total
FROM counted c
JOIN retention.runs r ON r.run_id = c.run_id
-- Free words may name users, and a run has many: with pseudonyms they are left out.
CROSS JOIN LATERAL (
    SELECT
        CASE WHEN NOT %(pseudonymise)s::boolean THEN r.reason END AS reason,
        CASE WHEN NOT %(pseudonymise)s::boolean THEN r.evidence END AS evidence,
        CASE WHEN NOT %(pseudonymise)s::boolean THEN r.decision_note END AS note,
        -- An altered entry that is no object is refused here, and not shown as an override.
        (SELECT coalesce(jsonb_agg(w.entry), '[]')
         FROM jsonb_array_elements(r.overrides) o
         CROSS JOIN LATERAL (
             SELECT coalesce(jsonb_object_agg(e.key, e.value), '{}') AS entry
             FROM jsonb_each(o) e WHERE NOT (%(pseudonymise)s::boolean AND e.key = 'text')
         ) w) AS overrides
) w
ORDER BY r.as_of, r.run_id
LIMIT %(limit)s
