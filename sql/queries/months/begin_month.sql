-- Purpose: Begins this month, of UTC, where that is still to be done: makes its partitions and those of the next three,
--     and moves the ids into it. Where a partition was missing, a second call moves the ids.
-- Locks: the sequences' order, for another process that begins the month; changes of runs, for a moment, where it makes
--     a partition; waits 2 s for one at most.
-- Returns: the name of each new partition.
SELECT partition FROM retention.begin_month() AS made (partition)
