-- Purpose: Calls the operator's function with empty arrays. The transaction around it is rolled back.
-- Locks: the rows that the operator's function locks.
-- Returns: no row from a function that works.
SELECT f.partner, f.round_id
FROM retention.close_rounds(
    '{}'::text[], '{}'::text[], '{}'::timestamptz[], '{}'::text[], '{}'::numeric[], '{}'::text[])
    AS f (partner, round_id)
LIMIT 5
