-- Fragment: whether a probe for the doubt `c` is due.
-- include shared/due_follow_up.sql
AND (c.state = 'in_doubt'
     OR (%(ask_first)s AND c.state = 'retrying' AND c.may_have_taken_effect
         AND (
             -- include shared/in_progress_lately.sql
         ) IS NOT TRUE))
