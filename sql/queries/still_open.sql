-- Which of these cancellations' rounds the operator's view has open at this moment.
SELECT c.id
FROM retention.cancellations c
WHERE c.id = ANY (%(ids)s::bigint[])
  AND EXISTS (SELECT FROM retention.open_rounds o WHERE o.partner = c.partner AND o.round_id = c.round_id)
