-- Purpose: Finds the runs whose ids begin with given digits, in the ledger or in its evidence alone.
-- Locks: none.
-- Returns: the first few of them.
SELECT run_id FROM retention.runs WHERE run_id BETWEEN %(lowest)s::uuid AND %(highest)s::uuid
UNION
SELECT run_id FROM retention.evidence WHERE run_id BETWEEN %(lowest)s::uuid AND %(highest)s::uuid
ORDER BY run_id
LIMIT 2
