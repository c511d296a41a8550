-- A run's own rounds, and the doubts of earlier runs that it took up, by state.
SELECT
    c.state, c.run_id <> %(run_id)s AS taken_up, count(*) AS rounds,
    count(*) FILTER (WHERE c.conflict) AS conflicts,
    count(*) FILTER (WHERE c.incomplete AND c.state = 'cancelled') AS incomplete,
    count(*) FILTER (WHERE c.review IS NOT NULL AND c.state <> 'resolved') AS to_review,
    -- What a person has resolved is none any more.
    count(*) FILTER (WHERE c.state IN ('cancelled', 'already_cancelled')
        AND (c.amount <> c.stake OR c.currency <> c.stake_currency OR c.transaction_id <> c.bet_transaction_id))
        AS discrepancies
FROM retention.cancellations c
WHERE c.run_id = %(run_id)s OR c.adopted_by_run = %(run_id)s
GROUP BY c.state, c.run_id <> %(run_id)s
