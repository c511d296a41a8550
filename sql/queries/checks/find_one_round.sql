-- Purpose: Searches the operator's view for one round by its key. It is explained, never run: the plan's filter then
--     shows the view's expressions for both parts of the key, beside names that nothing else has.
-- Locks: none.
-- Returns: the columns that a claim reads.
SELECT o.market, o.user_id, o.opened_at, o.last_activity_at FROM retention.open_rounds o
WHERE o.partner = current_setting('retention.partner', true)
  AND o.round_id = current_setting('retention.round_id', true)
