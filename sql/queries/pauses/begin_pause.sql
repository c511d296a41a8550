-- Throws the kill switch, for one partner or (NULL) for all; where it is thrown already, tells by whom.
INSERT INTO retention.pauses AS p (partner, reason, paused_by, paused_at)
VALUES (%(partner)s, %(reason)s, %(by)s, statement_timestamp())
ON CONFLICT (coalesce(partner, '')) WHERE resumed_at IS NULL DO UPDATE SET resumed_at = p.resumed_at
RETURNING p.paused_by, p.reason, p.xmax = 0 AS made -- no transaction has touched a row that is new
