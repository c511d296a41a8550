-- After a jump of the database's clock: this process's claims get leases as if they were made now. Nobody else, not even a
-- process that has just come and saw no jump, takes them for expired, nor waits for one that lies far ahead.
UPDATE retention.cancellations c
SET lease_until = statement_timestamp() + make_interval(secs => %(lease)s)
FROM retention.attempts a
WHERE c.partner = %(partner)s AND (c.run_id = %(run_id)s OR c.adopted_by_run = %(run_id)s) AND c.state = 'claimed'
  AND a.uuid = c.attempt_uuid AND a.replica = %(replica)s
