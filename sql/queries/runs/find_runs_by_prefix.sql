-- Purpose: Finds the runs whose ids begin with given digits: a range of the primary key.
-- Locks: none.
-- Returns: the first few of them.
SELECT run_id, policy, as_of
FROM retention.runs
WHERE run_id BETWEEN %(lowest)s::uuid AND %(highest)s::uuid
ORDER BY run_id
LIMIT %(limit)s
