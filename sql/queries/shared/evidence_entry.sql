-- Fragment, as CTEs: an entry of evidence for the rows of `leaves` (subject, id, hash), where it has any. `about` has
-- one row: run_id, replica, kind, and as `facts` a JSON object of a person's decision, or NULL.

-- All of them are rows of one run, or of none.
leaves_by_run AS (
    SELECT a.run_id, l.subject, l.id, l.hash FROM leaves l, about a
),

-- include shared/evidence_by_run.sql
