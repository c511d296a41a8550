-- Fragment: the hash of the pause `p` in evidence.
encode(sha256(convert_to(to_json(ARRAY[
    'pause', p.pause_id::text, p.partner, p.reason, p.paused_by,
    to_char(p.paused_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), p.resumed_by,
    to_char(p.resumed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
])::text, 'UTF8')), 'base64')
