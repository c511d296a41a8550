-- Fragment: the cancellations of a report, each with its outcome and the time when it became that.
SELECT
    c.*, r.policy, r.trigger, r.requested_by, r.reason, r.evidence, r.approved_by, r.plan_digest,
    became.outcome, became.at
FROM retention.cancellations c
JOIN retention.runs r ON r.run_id = c.run_id
CROSS JOIN LATERAL (
    SELECT
        coalesce(c.resolved_as, c.state) AS outcome,
        coalesce(
            -- include shared/outcome_time.sql
            ,
            -- A doubt is not settled yet: it is as old as its newest attempt.
            (SELECT max(a.claimed_at) FROM retention.attempts a WHERE a.cancellation_id = c.id), r.as_of
        ) AS at
) became
WHERE became.outcome = ANY (%(outcomes)s::text[])
  AND (%(start)s::timestamptz IS NULL OR became.at >= %(start)s)
  AND (%(end)s::timestamptz IS NULL OR became.at < %(end)s)
  AND (%(markets)s::text[] IS NULL OR c.market = ANY (%(markets)s::text[]))
  AND (%(policies)s::text[] IS NULL OR r.policy = ANY (%(policies)s::text[]))
  AND (%(run_id)s::uuid IS NULL OR c.run_id = %(run_id)s)
  -- A dry run's rows are reported only by a report about that run alone.
  AND (r.mode = 'enforce' OR r.run_id = %(run_id)s)
