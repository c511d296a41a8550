-- Purpose: Begins the present month, so that no new row is of a month that leaves.
-- Locks: the new partitions' tables, for a moment.
-- Returns: the names of new partitions.
SELECT retention.begin_month() AS name
