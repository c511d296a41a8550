-- Claims whose replies have come and cannot be written yet: whoever finds their lease expired would ask or call again.
UPDATE retention.cancellations c
SET lease_until = statement_timestamp() + make_interval(secs => %(kept)s)
FROM (
    SELECT k.id
    FROM unnest(%(ids)s::bigint[], %(uuids)s::uuid[]) AS ours (id, uuid)
    JOIN retention.cancellations k ON k.id = ours.id AND k.attempt_uuid = ours.uuid
    WHERE k.state = 'claimed' AND k.lease_until < statement_timestamp() + make_interval(secs => %(kept)s / 2)
    -- Those that are being written just now are locked, and nobody takes them.
    FOR UPDATE OF k SKIP LOCKED
) kept
WHERE c.id = kept.id
