-- What a plan asks of the operator's view first: the rounds up to an age. It is explained, never run.
SELECT o.round_id FROM retention.open_rounds o
WHERE o.opened_at <= %(as_of)s::timestamptz - make_interval(secs => %(open_longer_than)s)
