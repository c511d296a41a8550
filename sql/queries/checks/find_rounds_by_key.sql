-- What a claim asks of the operator's view: a few rounds, each by its key. It is explained, never run.
SELECT r.round_id, o.round_id IS NULL AS closed, o.last_activity_at
FROM unnest(%(partners)s::text[], %(round_ids)s::text[]) AS r (partner, round_id)
LEFT JOIN retention.open_rounds o ON o.partner = r.partner AND o.round_id = r.round_id
