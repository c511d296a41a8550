-- What abandoned runs planned and never sent, and this run is about to plan again.
WITH stale AS (
    -- include shared/stale_rounds.sql
), chosen AS (
    SELECT * FROM stale WHERE standing = 'eligible' ORDER BY opened_at, partner, round_id LIMIT %(limit)s::bigint
)
UPDATE retention.cancellations c
SET state = 'not_sent', settled_at = statement_timestamp(), due_at = NULL, needs_follow_up = false,
    detail = 'planned again by run ' || %(run_id)s
FROM chosen s
WHERE (SELECT coalesce(count(*) <= %(max_rounds)s::bigint, true) FROM chosen)
  AND c.partner = s.partner AND c.round_id = s.round_id AND c.holds_round
  AND c.state IN ('planned', 'retrying') AND NOT c.may_have_taken_effect
