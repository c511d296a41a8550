-- Purpose: Tells what the ledger keeps of a round for good, also after its months are archived.
-- Locks: none.
-- Returns: one row, or none. `held_by`: the cancellation that is live or has cancelled it; `refused`: how often it
--     ended as rejected or completed.
SELECT held_by, refused FROM retention.round_keys WHERE partner = %(partner)s AND round_id = %(round_id)s
