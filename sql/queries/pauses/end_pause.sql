-- Ends a person's pause of one partner or (NULL) of all, and what the vendor asked for of the same partners.
WITH person AS (
    UPDATE retention.pauses
    SET resumed_by = %(by)s, resumed_at = statement_timestamp()
    WHERE partner IS NOT DISTINCT FROM %(partner)s AND resumed_at IS NULL
    RETURNING pause_id
), asked AS (
    UPDATE retention.partner_state s
    SET paused_until = statement_timestamp()
    FROM (
        SELECT partner, kind, paused_until FROM retention.partner_state
        WHERE (%(partner)s::text IS NULL OR partner = %(partner)s) AND paused_until > statement_timestamp()
        FOR UPDATE
    ) w
    WHERE s.partner = w.partner AND s.kind = w.kind
    RETURNING s.partner
), due AS (
    -- The rounds that were turned away wait as long.
    UPDATE retention.cancellations c
    SET due_at = statement_timestamp()
    WHERE c.partner IN (SELECT partner FROM asked) AND c.needs_follow_up AND c.due_at > statement_timestamp()
)
SELECT EXISTS (SELECT FROM person) AS by_person, ARRAY(SELECT DISTINCT partner FROM asked ORDER BY partner) AS by_vendor
