-- Purpose: After a jump of the database's clock, gives this process's claims leases as if they were made now. Then no
--     process expires them, even one that has just come and saw no jump, nor waits for a lease that lies far ahead.
-- Locks: the process's claimed rows.
-- Returns: nothing; the count of changed rows.
UPDATE retention.cancellations c
SET lease_until = statement_timestamp() + make_interval(secs => %(lease)s)
FROM retention.attempts a
WHERE c.partner = %(partner)s AND c.id >= %(first_id)s AND (c.run_id = %(run_id)s OR c.adopted_by_run = %(run_id)s)
  AND c.state = 'claimed' AND a.uuid = c.attempt_uuid AND a.cancellation_id = c.id
  AND a.cancellation_id >= %(first_id)s AND a.replica = %(replica)s
