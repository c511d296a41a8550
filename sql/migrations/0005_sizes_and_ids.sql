-- Sizes of plans, for the rail `max_surge` and for `ledger status`; and the ids that `find` looks up.

-- How many rounds the run's plan has; NULL where the plan is not written. The rows can be counted too, but the plans of
-- many nights have millions of them.
ALTER TABLE retention.runs ADD COLUMN planned_rounds bigint CHECK (planned_rounds >= 0);

UPDATE retention.runs r
SET planned_rounds = (SELECT count(*) FROM retention.cancellations c WHERE c.run_id = r.run_id)
WHERE r.unwritten_plan IS NULL;

-- The newest finished runs of a policy.
CREATE INDEX runs_finished ON retention.runs (policy, as_of) WHERE status = 'finished' AND mode = 'enforce';

-- For `find`: indexes over columns that never change. An index over `transaction_id` would end the HOT updates: each
-- settlement would add an entry to every index of its row. Most refunds name the transaction of the bet, which is
-- indexed; the table below has the others, one row each.
CREATE INDEX cancellations_by_user ON retention.cancellations (user_id);
CREATE INDEX cancellations_by_bet ON retention.cancellations (bet_transaction_id) WHERE bet_transaction_id IS NOT NULL;

-- The transactions of refunds that are not the transaction of their bet.
CREATE TABLE retention.other_transactions (
    transaction_id   text NOT NULL,
    cancellation_id  bigint NOT NULL,
    PRIMARY KEY (transaction_id, cancellation_id)
);

INSERT INTO retention.other_transactions (transaction_id, cancellation_id)
SELECT c.transaction_id, c.id FROM retention.cancellations c
WHERE c.transaction_id IS NOT NULL AND c.transaction_id IS DISTINCT FROM c.bet_transaction_id;
