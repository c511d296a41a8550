-- What a cancellation was before a person resolved it. It tells when a round became cancelled: when it was settled, or when
-- somebody found out.
ALTER TABLE retention.cancellations
    ADD COLUMN resolved_from text CHECK (resolved_from IN
        ('in_doubt', 'cancelled', 'already_cancelled', 'already_completed', 'rejected', 'no_longer_open', 'held',
         'not_sent'));

-- It was not kept so far: the requests tell it, and what only a cancelled round has.
UPDATE retention.cancellations c
SET resolved_from = CASE
        WHEN c.settled_at = c.resolved_at THEN 'in_doubt'
        WHEN EXISTS (SELECT FROM retention.attempts a WHERE a.cancellation_id = c.id AND a.outcome = 'cancelled')
             OR c.conflict OR c.incomplete OR num_nonnulls(c.amount, c.currency, c.transaction_id) > 0 THEN 'cancelled'
        WHEN EXISTS (SELECT FROM retention.attempts a WHERE a.cancellation_id = c.id AND a.outcome = 'already_cancelled')
            THEN 'already_cancelled'
        WHEN EXISTS (SELECT FROM retention.attempts a WHERE a.cancellation_id = c.id AND a.outcome = 'already_completed')
            THEN 'already_completed'
        WHEN c.attempts > 0 THEN 'rejected'
        ELSE 'not_sent' END,
    -- Nobody closed these at the operator's when they were resolved, nor looked whether they were closed. `conflict` keeps
    -- them on the list until `review reclose` has.
    conflict = c.resolved_as IN ('cancelled', 'already_cancelled'),
    detail = CASE WHEN c.resolved_as IN ('cancelled', 'already_cancelled')
                  THEN concat_ws('; ', c.detail, 'close_rounds: not called when the round was resolved')
                  ELSE c.detail END
WHERE c.state = 'resolved';

ALTER TABLE retention.cancellations
    ADD CONSTRAINT cancellations_resolved_from CHECK ((state = 'resolved') = (resolved_from IS NOT NULL)),
    -- Only a round that the vendor has cancelled can still be open at the operator's by mistake.
    ADD CONSTRAINT cancellations_conflict CHECK
        (NOT conflict OR coalesce(resolved_as, state) IN ('cancelled', 'already_cancelled'));
