-- Fragment: the text of the attempt `a` that evidence hashes.
to_json(ARRAY[
    'attempt', a.uuid::text, a.cancellation_id::text, a.run_id::text, a.kind, a.replica,
    to_json(a.claimed_at AT TIME ZONE 'UTC') #>> '{}',
    to_json(a.sent_at AT TIME ZONE 'UTC') #>> '{}',
    to_json(a.replied_at AT TIME ZONE 'UTC') #>> '{}',
    a.http_status::text, a.error_code, a.outcome, a.detail
])::text
