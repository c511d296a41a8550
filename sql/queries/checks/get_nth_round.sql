-- Purpose: Finds the n-th open round, from 0 on, in the order of the rounds' ids.
-- Locks: none.
-- Returns: its id.
SELECT o.round_id FROM retention.open_rounds o ORDER BY o.round_id COLLATE "C" OFFSET %(nth)s LIMIT 1
