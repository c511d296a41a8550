-- Fragment, as a query: the cancellations from the id `first` to `last` that an archive leaves in the ledger, because
-- they are not settled or need a person, or because an earlier month still has a row of their round. A later row tells
-- that the earlier one is not the round's end.
SELECT c.id
-- include shared/rounds_to_review.sql
  AND c.id BETWEEN %(first)s AND %(last)s
UNION
SELECT c.id FROM retention.cancellations c
WHERE c.id BETWEEN %(first)s AND %(last)s AND c.settled_at IS NULL
UNION
SELECT c.id FROM retention.cancellations c
WHERE c.id BETWEEN %(first)s AND %(last)s AND EXISTS (
    SELECT FROM retention.cancellations e
    WHERE e.partner = c.partner AND e.round_id = c.round_id AND e.id < %(first)s)
