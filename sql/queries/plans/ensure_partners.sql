INSERT INTO retention.partner_state (partner, kind)
SELECT partner, kind FROM unnest(%(partners)s::text[]) AS partner, unnest(ARRAY['cancel', 'status']) AS kind
ON CONFLICT (partner, kind) DO NOTHING
