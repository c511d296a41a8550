-- Takes it upon this process to write a run's plan; returns nothing where it is written already, or the run is over.
UPDATE retention.runs SET unwritten_plan = NULL
WHERE run_id = %(run_id)s AND unwritten_plan IS NOT NULL AND status NOT IN ('finished', 'cancelled')
RETURNING as_of
