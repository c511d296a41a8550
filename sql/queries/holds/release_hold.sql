-- Purpose: Releases a hold.
-- Locks: the hold, until the commit.
-- Returns: who had released it before, and whether this call did; no row without the hold.
WITH

-- A hold is released once.
released AS (
    UPDATE retention.holds
    SET released_at = statement_timestamp(), released_by = %(by)s
    WHERE hold_id = %(hold_id)s AND released_at IS NULL
    RETURNING *
),

-- Its new hash.
leaves AS (
    SELECT
        'hold' AS subject, h.hold_id::text AS id,
        -- include shared/hold_leaf.sql
        AS hash
    FROM released h, retention.ledger_key k
),

-- For the evidence.
about AS (
    SELECT
        NULL::uuid AS run_id, NULL::text AS replica, 'hold_released' AS kind,
        json_build_object('by', %(by)s::text) AS facts
),

-- include shared/evidence_entry.sql

SELECT h.released_by, EXISTS (SELECT FROM released) AS done
FROM retention.holds h WHERE h.hold_id = %(hold_id)s
