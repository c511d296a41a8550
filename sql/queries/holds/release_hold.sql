-- Purpose: Releases a hold.
-- Locks: the hold, until the commit.
-- Returns: who had released it before, and whether this call did; no row without the hold.
WITH

-- A hold is released once.
released AS (
    UPDATE retention.holds
    SET released_at = statement_timestamp(), released_by = %(by)s
    WHERE hold_id = %(hold_id)s AND released_at IS NULL
    RETURNING hold_id
)

SELECT h.released_by, EXISTS (SELECT FROM released) AS done
FROM retention.holds h WHERE h.hold_id = %(hold_id)s
