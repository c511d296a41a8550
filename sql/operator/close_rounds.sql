-- The function `retention.close_rounds` marks rounds cancelled in your tables. A sample for open_rounds.sql's table.
--
-- It is called with a batch, in the transaction that settles the ledger: both change, or neither. It changes only
-- rounds that are still open, and returns exactly the changed ones; a round that is left out is listed for review.
-- It may raise: the rounds of the batch are then tried in halves, and the one that raises is listed for review. Locks,
-- timeouts and deadlocks are tried again for ten minutes. Before a run sends, it is called with empty arrays, and
-- that call is rolled back: it closes nothing then, returns nothing, and does not raise.
-- The amount is the refund that the vendor promised through your wallet, in units of the currency; it may be NULL, and
-- so may currency and transaction id. No money is credited here.
--
-- SECURITY DEFINER: it runs with the rights of its owner, who needs SELECT and UPDATE on the table, so that the job's
-- role needs none. That is why the search path is fixed, names are qualified, and only who is granted it may call it.
-- Ids that are numbers: WHERE r.id::text = c.round_id, RETURNING r.id::text. States that are numbers: SET state = 2.
-- A function in PL/pgSQL does as well; write #variable_conflict use_column where the result's names get in the way.

CREATE OR REPLACE FUNCTION retention.close_rounds(
    p_partner         text[],
    p_round_id        text[],
    p_cancelled_at    timestamptz[],
    p_currency        text[],
    p_amount          numeric[],
    p_transaction_id  text[]
)
RETURNS TABLE (partner text, round_id text)
LANGUAGE sql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE casino.game_rounds r
    SET state = 'cancelled', closed_at = c.cancelled_at,
        refund = c.amount, refund_currency = c.currency, refund_transaction = c.transaction_id
    FROM unnest(p_partner, p_round_id, p_cancelled_at, p_currency, p_amount, p_transaction_id)
        AS c (partner, round_id, cancelled_at, currency, amount, transaction_id)
    WHERE r.account = c.partner AND r.vendor_round_id = c.round_id AND r.state = 'open'
    RETURNING r.account, r.vendor_round_id
$$;

REVOKE ALL ON FUNCTION retention.close_rounds(text[], text[], timestamptz[], text[], numeric[], text[]) FROM PUBLIC;
