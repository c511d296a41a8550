-- What reports tell besides: when a round was last active, what the vendor told of its winnings; and the reports that
-- `serve` makes.

-- `last_activity_at`: as the operator's view had it when the round was planned. `winnings`: as the vendor's newest
-- answer told them, in currency units, 0 included; NULL where it was not asked, or told none.
ALTER TABLE retention.cancellations
    ADD COLUMN last_activity_at timestamptz,
    ADD COLUMN winnings numeric(38, 18);

-- For the report of decisions: a person's decisions among the evidence of batches, and the resolved rows among the
-- others. A row gets `resolved_at` once its work is over, so claims and settlements stay HOT.
CREATE INDEX evidence_decisions ON retention.evidence (entry_id)
    WHERE kind IN ('approved', 'rejected', 'overridden', 'continued', 'called_off', 'hold_added', 'hold_released',
                   'paused', 'resumed', 'resolved', 'reclosed', 'pseudonymised');
CREATE INDEX cancellations_resolved ON retention.cancellations (resolved_at) WHERE resolved_at IS NOT NULL;
