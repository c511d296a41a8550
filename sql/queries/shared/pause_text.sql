-- Fragment: the text of the pause `p` that evidence hashes.
to_json(ARRAY[
    'pause', p.pause_id::text, p.partner, p.reason, p.paused_by,
    to_char(p.paused_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), p.resumed_by,
    to_char(p.resumed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
])::text
