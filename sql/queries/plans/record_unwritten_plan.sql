-- What a run's plan came to that is not written.
UPDATE retention.runs SET unwritten_plan = %(unwritten_plan)s WHERE run_id = %(run_id)s
