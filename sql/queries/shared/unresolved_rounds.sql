-- Fragment, as a query: the cancellations from the id `first` to `last` that an archive leaves in the ledger, because
-- they are not settled or need a person.
SELECT c.id
-- include shared/rounds_to_review.sql
  AND c.id BETWEEN %(first)s AND %(last)s
UNION
SELECT c.id FROM retention.cancellations c
WHERE c.id BETWEEN %(first)s AND %(last)s AND c.settled_at IS NULL
