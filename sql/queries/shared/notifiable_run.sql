-- Fragment: whether a notification may be due for the run `r`: it was halted, is over, has stalled, or waits for
-- approval.
NOT r.notified AND (r.status IN ('halted', 'failed', 'finished', 'cancelled', 'awaiting_approval')
                    OR (r.status IN ('planned', 'running') AND r.stalled_at IS NOT NULL))
