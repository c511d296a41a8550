-- Purpose: Leaves evidence that a reconciliation was made: its scope and its counts. It changes no row that evidence
--     covers.
-- Locks: none.
-- Returns: the entry's id.
INSERT INTO retention.evidence (run_id, replica, kind, body)
VALUES (
    %(run_id)s::uuid, %(replica)s, 'reconciled', json_build_object(
        'v', 1, 'kind', 'reconciled', 'at', to_char(statement_timestamp() AT TIME ZONE 'UTC',
                                                    'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'run', %(run_id)s::uuid, 'replica', %(replica)s::text, 'login', session_user, 'facts', %(facts)s::json,
        'rows', json_build_object())::text)
RETURNING entry_id
