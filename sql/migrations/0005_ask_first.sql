-- The vendor is asked before a round's first cancel.
ALTER TABLE retention.cancellations
    -- When the newest question left whose answer was: in progress. A cancel that follows soon may rely on it.
    ADD COLUMN in_progress_at timestamptz,
    -- The vendor cancelled, and did not tell the whole refund.
    ADD COLUMN incomplete boolean NOT NULL DEFAULT false,
    -- Why a person has to look at a round that was not called.
    ADD COLUMN review text CHECK (review IN ('winnings', 'not_asked', 'finding')),
    -- A question alone may tell that a round is cancelled or completed.
    DROP CONSTRAINT cancellations_cancelled_was_asked,
    ADD CONSTRAINT cancellations_cancelled_was_asked CHECK
        ((state NOT IN ('cancelled', 'rejected') OR attempts > 0)
         AND (state NOT IN ('already_cancelled', 'already_completed') OR attempts + probes > 0));

UPDATE retention.cancellations
SET incomplete = true
WHERE state = 'cancelled' AND (amount IS NULL OR currency IS NULL OR transaction_id IS NULL);

CREATE INDEX cancellations_to_review ON retention.cancellations (id) WHERE review IS NOT NULL;

-- Undoes a settlement whose `close_rounds` answered something that it was not asked: the statement that calls this fails.
CREATE FUNCTION retention.refuse_closing(what text) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'RT001', MESSAGE = what;
END
$$;
