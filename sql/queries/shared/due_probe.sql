-- The doubts that are to be asked about by now.
-- include shared/due_follow_up.sql
AND (c.state = 'in_doubt'
     OR (%(ask_first)s AND c.state = 'retrying' AND c.may_have_taken_effect
         AND (c.in_progress_at IS NULL
              OR c.in_progress_at NOT BETWEEN statement_timestamp() - make_interval(secs => %(told_within)s)
                                        AND statement_timestamp() + interval '2 seconds')))
