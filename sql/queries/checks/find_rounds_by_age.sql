-- Purpose: Searches the operator's view as a plan begins to: for the rounds up to an age. It is explained, never run.
-- Locks: none.
-- Returns: the rounds' ids.
SELECT o.round_id FROM retention.open_rounds o
WHERE o.opened_at <= %(as_of)s::timestamptz - make_interval(secs => %(open_longer_than)s)
