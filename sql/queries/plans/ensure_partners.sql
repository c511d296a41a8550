-- Purpose: Makes the rows that hold the partners' rates, where they are missing.
-- Locks: none.
-- Returns: nothing.
INSERT INTO retention.partner_state (partner, kind)
SELECT partner, kind FROM unnest(%(partners)s::text[]) AS partner, unnest(ARRAY['cancel', 'status']) AS kind
ON CONFLICT (partner, kind) DO NOTHING
