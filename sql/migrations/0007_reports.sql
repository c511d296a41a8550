-- What reports tell besides: when a round was last active, what the vendor told of its winnings; and the reports that
-- `serve` makes.

-- `last_activity_at`: as the operator's view had it when the round was planned. `winnings`: as the vendor's newest
-- answer told them, in currency units, 0 included; NULL where it was not asked, or told none.
ALTER TABLE retention.cancellations
    ADD COLUMN last_activity_at timestamptz,
    ADD COLUMN winnings numeric(38, 18);
