-- Purpose: Finds the cancellations whose rounds the operator's view has open now.
-- Locks: none.
-- Returns: their ids.
SELECT c.id
FROM retention.cancellations c
WHERE c.id = ANY (%(ids)s::bigint[])
  AND (
      -- By the key: with EXISTS the planner may read the whole view.
      SELECT true FROM retention.open_rounds o WHERE o.partner = c.partner AND o.round_id = c.round_id LIMIT 1)
