-- Purpose: Searches the operator's view as a claim does: for a few rounds by their keys. It is explained, never run.
-- Locks: none.
-- Returns: a row per key.
SELECT r.round_id, o.round_id IS NULL AS closed, o.market, o.user_id, o.opened_at, o.last_activity_at
FROM unnest(%(partners)s::text[], %(round_ids)s::text[]) AS r (partner, round_id)
LEFT JOIN retention.open_rounds o ON o.partner = r.partner AND o.round_id = r.round_id
