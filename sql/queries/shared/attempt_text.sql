-- Fragment: the text of the attempt `a` that evidence hashes.
to_json(ARRAY[
    'attempt', a.uuid::text, a.cancellation_id::text, a.run_id::text, a.kind, a.replica,
    to_char(a.claimed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    to_char(a.sent_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    to_char(a.replied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    a.http_status::text, a.error_code, a.outcome, a.detail
])::text
