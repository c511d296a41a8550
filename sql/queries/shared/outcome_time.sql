-- When a settled cancellation `c` became what it is. A person's word that only confirms what stood there changes nothing;
-- and cancelled is cancelled, by whomever.
CASE WHEN c.state = 'resolved' AND c.resolved_from <> c.resolved_as
          AND NOT (c.resolved_from IN ('cancelled', 'already_cancelled')
                   AND c.resolved_as IN ('cancelled', 'already_cancelled'))
     THEN c.resolved_at ELSE c.settled_at END
