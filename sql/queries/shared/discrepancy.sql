-- Fragment: whether the vendor's refund for `c` differs from its stake. NULL, as false, where nothing is known to
-- differ.
(c.amount <> c.stake OR c.currency <> c.stake_currency OR c.transaction_id <> c.bet_transaction_id)
