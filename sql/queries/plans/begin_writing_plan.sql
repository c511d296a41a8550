-- Takes it upon this process to write a run's plan; returns nothing where it is written already, or the run is over.
UPDATE retention.runs SET unwritten = NULL
WHERE run_id = %(run_id)s AND unwritten IS NOT NULL AND status NOT IN ('finished', 'cancelled')
RETURNING as_of
