-- Purpose: Pauses one partner or (NULL) all. A pause that stands already stays.
-- Locks: the partner's pause, until the commit.
-- Returns: who paused, why, and whether this call did.
INSERT INTO retention.pauses AS p (partner, reason, paused_by, paused_at)
VALUES (%(partner)s, %(reason)s, %(by)s, statement_timestamp())
ON CONFLICT (coalesce(partner, '')) WHERE resumed_at IS NULL DO UPDATE SET resumed_at = p.resumed_at
RETURNING p.paused_by, p.reason, p.xmax = 0 AS made -- no transaction has changed a row that is new
