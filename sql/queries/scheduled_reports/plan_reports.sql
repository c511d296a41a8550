-- Purpose: Records the times of a scheduled report that have come: a planned report for each, or that it was missed. A
--     time that has a row stays as it is.
-- Locks: the report's scheduled times, until the commit.
-- Returns: a row per time that this process recorded, also by an earlier try whose answer was lost.
WITH recorded AS (
    INSERT INTO retention.reports
        (report_id, name, scheduled_for, status, period, period_start, period_end, settings, recorded_by, recorded_at,
         due_at, problem)
    SELECT gen_random_uuid(), %(name)s, t.time, t.status, t.period, t.begins, t.ends, %(settings)s, %(replica)s,
           statement_timestamp(), CASE t.status WHEN 'planned' THEN statement_timestamp() END, t.problem
    FROM unnest(%(times)s::timestamptz[], %(statuses)s::text[], %(periods)s::text[], %(starts)s::timestamptz[],
                %(ends)s::timestamptz[], %(problems)s::text[]) AS t (time, status, period, begins, ends, problem)
    ON CONFLICT (name, scheduled_for) DO NOTHING
    RETURNING report_id, scheduled_for, period, problem
)

SELECT report_id, scheduled_for, period, problem FROM recorded
UNION ALL
SELECT p.report_id, p.scheduled_for, p.period, p.problem FROM retention.reports p
WHERE p.name = %(name)s AND p.scheduled_for = ANY (%(times)s::timestamptz[]) AND p.recorded_by = %(replica)s
