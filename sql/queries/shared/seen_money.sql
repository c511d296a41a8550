-- Fragment: the money of `w` (shared/seen_refunds.sql) that a report shows beside the promise of `s`: in the only
-- currency of the refunds, else in the expected one. The ledger's spelling of a currency comes first.
SELECT
    CASE WHEN w.has_expected THEN coalesce(s.currency, s.stake_currency)
         WHEN w.one_currency THEN left(w.only_currency, 16) END AS currency,
    CASE WHEN w.has_expected THEN w.expected_amount
         WHEN w.one_currency THEN w.only_amount END AS amount
