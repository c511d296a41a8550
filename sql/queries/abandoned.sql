-- The runs that were left unfinished and that nobody is at work on.
SELECT run_id FROM retention.runs
WHERE (status IN ('halted', 'failed')
       OR (status IN ('planned', 'running') AND active_until < statement_timestamp()))
  AND run_id <> %(run_id)s
