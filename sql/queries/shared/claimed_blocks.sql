-- Fragment, as a relation: the blocks of ids in which rows of the partner are claimed for the first time, in the runs
-- of `run_ids`. A statement reads the rows of these blocks, in a LATERAL that locks: else the planner, which cannot
-- know how few they are, may read the whole plan.
(
    SELECT t.run_id, t.block * 10000 AS first, t.block * 10000 + 9999 AS last
    FROM retention.run_totals t
    WHERE t.run_id = ANY (%(run_ids)s::uuid[]) AND t.state = 'claimed' AND t.partner = %(partner)s AND t.aspect = ''
    GROUP BY t.run_id, t.block
    HAVING sum(t.rounds) > 0
)
