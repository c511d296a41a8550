-- Purpose: Counts the cancellations that need a person, by policy and reason. One with several reasons counts for each.
-- Locks: none.
-- Returns: a row per policy and reason with at least one cancellation.
WITH

-- By run, since a policy may have many rows.
counted AS (
    SELECT
        c.run_id,
        count(*) FILTER (WHERE c.state = 'in_doubt') AS in_doubt,
        count(*) FILTER (WHERE c.conflict) AS conflict,
        count(*) FILTER (WHERE c.state <> 'resolved' AND
            -- include shared/discrepancy.sql
        ) AS discrepancy,
        count(*) FILTER (WHERE c.state = 'cancelled' AND c.incomplete) AS incomplete,
        count(*) FILTER (WHERE c.state = 'rejected') AS rejected,
        count(*) FILTER (WHERE c.review = 'winnings') AS winnings,
        count(*) FILTER (WHERE c.review = 'not_asked') AS not_asked,
        count(*) FILTER (WHERE c.review = 'finding' OR c.state = 'already_completed') AS finding
    -- include shared/rounds_to_review.sql
    GROUP BY c.run_id
)

SELECT r.policy, w.why, sum(w.rounds)::bigint AS rounds
FROM counted n
JOIN retention.runs r ON r.run_id = n.run_id
CROSS JOIN LATERAL (VALUES
    ('in_doubt', n.in_doubt), ('conflict', n.conflict), ('discrepancy', n.discrepancy), ('incomplete', n.incomplete),
    ('rejected', n.rejected), ('winnings', n.winnings), ('not_asked', n.not_asked), ('finding', n.finding)
) AS w (why, rounds)
WHERE w.rounds > 0
GROUP BY r.policy, w.why
