-- Purpose: Extends leases of claims whose replies have come and cannot be written yet. Else another process would
--     expire them, and send or probe again.
-- Locks: the claimed rows; rows that are being settled are skipped, since no process expires a locked row.
-- Returns: nothing.
UPDATE retention.cancellations c
SET lease_until = statement_timestamp() + make_interval(secs => %(kept)s)
FROM (
    SELECT k.id
    FROM unnest(%(ids)s::bigint[], %(uuids)s::uuid[]) AS ours (id, uuid)
    JOIN retention.cancellations k ON k.id = ours.id AND k.id >= %(first_id)s
        AND k.attempt_uuid = ours.uuid
    WHERE k.state = 'claimed' AND k.lease_until < statement_timestamp() + make_interval(secs => %(kept)s / 2)
    FOR UPDATE OF k SKIP LOCKED
) kept
WHERE c.id = kept.id AND c.id >= %(first_id)s
