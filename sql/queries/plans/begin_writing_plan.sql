-- Purpose: Makes this process the one that writes a run's plan.
-- Locks: the run, until the commit.
-- Returns: the run's `as_of`, and the moment up to which its plan knew the view; no row where the plan is written, or
--     the run is over.
UPDATE retention.runs r SET unwritten_plan = NULL
WHERE run_id = %(run_id)s AND unwritten_plan IS NOT NULL AND status NOT IN ('finished', 'cancelled')
RETURNING
    r.as_of,
    -- include shared/view_moment.sql
    AS view_at
