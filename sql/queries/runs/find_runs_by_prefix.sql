-- The runs whose ids begin with given digits: a range, which the primary key serves. A few do, to tell them apart.
SELECT run_id, policy, as_of
FROM retention.runs
WHERE run_id BETWEEN %(lowest)s::uuid AND %(highest)s::uuid
ORDER BY run_id
LIMIT %(limit)s
