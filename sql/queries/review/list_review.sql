-- Purpose: Lists the cancellations that need a person. A filter that is NULL lets all pass.
-- Locks: none.
-- Returns: a row per cancellation, oldest first. `why` has the codes of its reasons. `given_up`: the round has ended so
--     often that no run plans it again. `findings`: its open ones, as JSON, or NULL.
SELECT
    c.id, c.run_id, o.policy, c.partner, c.market, c.round_id, c.state, w.why, c.error_code, c.description, c.amount,
    c.currency, c.stake, c.stake_currency, c.transaction_id, c.bet_transaction_id, c.detail, c.settled_at, c.conflict,
    c.incomplete, c.review, coalesce(ended.times >= p.max_runs, false) AS given_up,
    (
        SELECT jsonb_agg(jsonb_build_object(
            'kind', g.kind, 'ledger', g.ledger, 'vendor', g.vendor, 'operator', g.operator, 'wallet', g.wallet)
            ORDER BY g.finding_id)
        FROM retention.findings g WHERE g.cancellation_id = c.id AND g.resolved_at IS NULL
    ) AS findings
-- include shared/rounds_to_review.sql
  AND (%(markets)s::text[] IS NULL OR c.market = ANY (%(markets)s::text[]))
  AND (%(policy)s::text IS NULL OR o.policy = %(policy)s)
  AND (%(whys)s::text[] IS NULL OR w.why && %(whys)s::text[])
  AND (%(run_id)s::uuid IS NULL OR s.run_id = %(run_id)s OR s.adopted_by_run = %(run_id)s)
ORDER BY c.id
