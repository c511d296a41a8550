-- Fragment: when a settled cancellation `c` became its outcome. A resolution that confirms the state changes nothing,
-- and neither does one from cancelled to already cancelled.
CASE WHEN c.state = 'resolved' AND c.resolved_from <> c.resolved_as
          AND NOT (c.resolved_from IN ('cancelled', 'already_cancelled')
                   AND c.resolved_as IN ('cancelled', 'already_cancelled'))
     THEN c.resolved_at ELSE c.settled_at END
