INSERT INTO retention.partner_state (partner, lane)
SELECT partner, lane FROM unnest(%(partners)s::text[]) AS partner, unnest(ARRAY['cancel', 'status']) AS lane
ON CONFLICT (partner, lane) DO NOTHING
