-- A plan that no run may carry out is not written: its rounds would be planned, and written, again every night.
ALTER TABLE retention.runs
    -- What such a plan came to: rounds, and stakes by currency. NULL: its rounds stand in `cancellations`.
    ADD COLUMN unwritten jsonb CHECK (jsonb_typeof(unwritten) = 'object');
