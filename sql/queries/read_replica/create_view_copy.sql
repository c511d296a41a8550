-- Purpose: Makes on the primary, for this transaction alone, an empty table with the columns of the operator's view.
--     The rows that the replica has shown are copied into it, and a plan reads them in place of the view's.
-- Locks: none.
-- Returns: nothing.
CREATE TEMPORARY TABLE open_rounds ON COMMIT DROP AS
SELECT
    o.partner, o.market, o.game_id, o.user_id, o.round_id, o.opened_at, o.last_activity_at, o.currency, o.stake,
    o.bet_transaction_id
FROM retention.open_rounds o
WITH NO DATA
