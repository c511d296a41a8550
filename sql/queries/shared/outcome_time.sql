-- Fragment: when a settled cancellation `c` became its outcome. A resolution that confirms the state changes nothing,
-- and neither does one from cancelled to already cancelled.
-- So a repeated report has the same rounds. A round resolved as another outcome is in no report of cancelled rounds. No
-- resolution overrides the vendor's own word that it cancelled, because the round could then be cancelled again.
CASE WHEN c.state = 'resolved' AND c.resolved_from <> c.resolved_as
          AND NOT (c.resolved_from IN ('cancelled', 'already_cancelled')
                   AND c.resolved_as IN ('cancelled', 'already_cancelled'))
     THEN c.resolved_at ELSE c.settled_at END
