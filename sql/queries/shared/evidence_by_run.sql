-- Fragment, as a CTE: entries of evidence for the rows of `leaves_by_run` (run_id, subject, id, hash): one for each
-- run, and for each thousand of its rows. `about` has one row: replica, kind, and as `facts` a JSON object of a
-- person's decision, or NULL.

-- An entry stays small enough to be read at once.
evidence_recorded AS (
    INSERT INTO retention.evidence (run_id, replica, kind, body)
    SELECT
        l.run_id, a.replica, a.kind, json_build_object(
            'v', 1, 'kind', a.kind, 'at', to_char(statement_timestamp() AT TIME ZONE 'UTC',
                                                  'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
            'run', l.run_id, 'replica', a.replica, 'login', session_user, 'facts', a.facts, 'rows', l.subjects)::text
    FROM about a, (
        SELECT s.run_id, s.part, json_object_agg(s.subject, s.hashes ORDER BY s.subject) AS subjects
        FROM (
            SELECT p.run_id, p.part, p.subject, json_object_agg(p.id, p.hash ORDER BY p.id) AS hashes
            FROM (
                SELECT *, row_number() OVER (PARTITION BY run_id) / 1000 AS part FROM leaves_by_run
            ) p
            GROUP BY p.run_id, p.part, p.subject
        ) s
        GROUP BY s.run_id, s.part
    ) l
)
