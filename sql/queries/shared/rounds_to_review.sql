-- Fragment from FROM on: the cancellations `c` that need a person. `n` has the reasons one by one, `w.why` the true
-- ones, as codes; `o` is the run that planned the row. `ended.times` is how often a round has ended as rejected or
-- completed, `p` its partner's limit. A resolved row needs no person once it is closed at the operator's, unless
-- something was found since. The rows of `s` alone are looked at: the index has those that may need a person, and most
-- rows never do.
FROM (
    SELECT m.id, m.run_id, m.adopted_by_run FROM retention.cancellations m WHERE m.may_need_review
    UNION
    SELECT m.id, m.run_id, m.adopted_by_run
    FROM retention.findings g JOIN retention.cancellations m ON m.id = g.cancellation_id
    WHERE g.resolved_at IS NULL
) s
JOIN retention.cancellations c ON c.id = s.id
JOIN retention.runs o ON o.run_id = c.run_id
JOIN retention.runs r ON r.run_id = coalesce(c.adopted_by_run, c.run_id)
LEFT JOIN unnest(%(partners)s::text[], %(max_runs)s::integer[]) AS p (partner, max_runs) ON p.partner = c.partner
LEFT JOIN (
    SELECT
        cancellation_id, bool_or(kind = 'refund_missing') AS refund_missing,
        bool_or(kind = 'refund_differs') AS refund_differs,
        bool_or(kind NOT IN ('refund_missing', 'refund_differs')) AS other
    FROM retention.findings WHERE resolved_at IS NULL GROUP BY cancellation_id
) f ON f.cancellation_id = c.id
CROSS JOIN LATERAL (
    -- As a plan counts them: the rows of archived months, too.
    SELECT CASE WHEN c.state IN ('rejected', 'already_completed') THEN (
        SELECT k.refused FROM retention.round_keys k WHERE k.partner = c.partner AND k.round_id = c.round_id
    ) END AS times
) ended
CROSS JOIN LATERAL (
    -- Whether a row without a cancellation still waits for its decision: a later run's row replaces it.
    SELECT (c.review IS NOT NULL OR c.state IN ('rejected', 'already_completed')) AND c.state <> 'resolved' AND NOT
        -- include shared/later_row.sql
        AS undecided
) u
CROSS JOIN LATERAL (
    -- A doubt that a running process will ask about needs no person yet.
    SELECT
        c.state = 'in_doubt'
            AND (c.due_at IS NULL OR r.status <> 'running' OR r.heartbeat_until < statement_timestamp()) AS in_doubt,
        c.conflict,
        c.state IN ('cancelled', 'already_cancelled') AND
            -- include shared/discrepancy.sql
            AS discrepancy,
        c.state = 'cancelled' AND c.incomplete AS incomplete,
        c.state = 'rejected' AND u.undecided AS rejected,
        c.review = 'winnings' AND u.undecided AS winnings,
        c.review = 'not_asked' AND u.undecided AS not_asked,
        f.refund_missing, f.refund_differs,
        f.other OR (c.review = 'finding' AND u.undecided)
            OR (c.state = 'already_completed' AND ended.times >= p.max_runs AND u.undecided) AS finding
) n
CROSS JOIN LATERAL (
    SELECT array_remove(ARRAY[
        CASE WHEN n.in_doubt THEN 'in_doubt' END, CASE WHEN n.conflict THEN 'conflict' END,
        CASE WHEN n.discrepancy THEN 'discrepancy' END, CASE WHEN n.incomplete THEN 'incomplete' END,
        CASE WHEN n.rejected THEN 'rejected' END, CASE WHEN n.winnings THEN 'winnings' END,
        CASE WHEN n.not_asked THEN 'not_asked' END, CASE WHEN n.refund_missing THEN 'refund_missing' END,
        CASE WHEN n.refund_differs THEN 'refund_differs' END, CASE WHEN n.finding THEN 'finding' END
    ], NULL) AS why
) w
WHERE (n.in_doubt OR n.conflict OR n.discrepancy OR n.incomplete OR n.rejected OR n.winnings OR n.not_asked
       OR n.refund_missing OR n.refund_differs OR n.finding)
