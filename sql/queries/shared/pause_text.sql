-- Fragment: the text of the pause `p` that evidence hashes.
to_json(ARRAY[
    'pause', p.pause_id::text, p.partner, p.reason, p.paused_by,
    to_json(p.paused_at AT TIME ZONE 'UTC') #>> '{}', p.resumed_by,
    to_json(p.resumed_at AT TIME ZONE 'UTC') #>> '{}'
])::text
