-- Fragment: the text of the archive `v` that evidence hashes.
to_json(ARRAY[
    'archive', v.name, v.month, v.part::text, v.first_id::text, v.last_id::text, v.kept::text, v.entries::text,
    v.files::text, v.runs::text, to_json(v.opened_from AT TIME ZONE 'UTC') #>> '{}',
    to_json(v.first_at AT TIME ZONE 'UTC') #>> '{}', to_json(v.last_at AT TIME ZONE 'UTC') #>> '{}', v.archived_by,
    to_json(v.archived_at AT TIME ZONE 'UTC') #>> '{}'
])::text
