-- Fragment, as a CTE: an entry of evidence for the rows of `leaves` (subject, id, hash), where it has any. `about` has
-- one row: run_id, replica, kind, and as `facts` a JSON object of what a person decided, or NULL.
evidence_recorded AS (
    INSERT INTO retention.evidence (run_id, replica, kind, body)
    SELECT
        a.run_id, a.replica, a.kind, json_build_object(
            'v', 1, 'kind', a.kind, 'at', to_char(statement_timestamp() AT TIME ZONE 'UTC',
                                                  'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
            'run', a.run_id, 'replica', a.replica, 'login', session_user, 'facts', a.facts, 'rows', l.subjects)::text
    FROM about a, (
        SELECT json_object_agg(s.subject, s.hashes ORDER BY s.subject) AS subjects
        FROM (
            SELECT subject, json_object_agg(id, hash ORDER BY id) AS hashes FROM leaves GROUP BY subject
        ) s
        HAVING count(*) > 0
    ) l
)
