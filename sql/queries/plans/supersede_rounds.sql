-- Purpose: Settles as not sent the rounds that abandoned runs planned and never sent, and that this run plans again. A
--     plan of more than `max_rounds` supersedes nothing.
-- Locks: the superseded rows.
-- Returns: nothing.
WITH

-- include shared/chosen_rounds.sql

UPDATE retention.cancellations c
SET state = 'not_sent', settled_at = statement_timestamp(), due_at = NULL, needs_follow_up = false,
    detail = %(detail)s
FROM chosen s
WHERE (SELECT coalesce(count(*) <= %(max_rounds)s::bigint, true) FROM chosen)
  AND c.partner = s.partner AND c.round_id = s.round_id AND c.holds_round
  AND c.state IN ('planned', 'retrying') AND NOT c.may_have_taken_effect
