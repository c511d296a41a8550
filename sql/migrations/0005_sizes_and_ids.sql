-- Sizes of plans, for the rail `max_surge` and for `ledger status`.

-- How many rounds the run's plan has. NULL: an earlier version planned the run, or the plan is not written. The rows
-- can be counted too, but the plans of many nights have millions of them.
ALTER TABLE retention.runs ADD COLUMN planned_rounds bigint CHECK (planned_rounds >= 0);

-- The newest finished runs of a policy.
CREATE INDEX runs_finished ON retention.runs (policy, as_of) WHERE status = 'finished' AND mode = 'enforce';
