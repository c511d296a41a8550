-- Purpose: Ends a person's pause of one partner or (NULL) of all, and the pauses that the vendor asked for of the same
--     partners.
-- Locks: the pauses, the partners' slots, their waiting rounds, until the commit.
-- Returns: whether a person's pause ended, and the partners that the vendor had paused.
WITH

-- The person's pause.
person AS (
    UPDATE retention.pauses
    SET resumed_by = %(by)s, resumed_at = statement_timestamp()
    WHERE partner IS NOT DISTINCT FROM %(partner)s AND resumed_at IS NULL
    RETURNING *
),

-- Its new hash.
leaves AS (
    SELECT
        'pause' AS subject, p.pause_id::text AS id,
        -- include shared/pause_leaf.sql
        AS hash
    FROM person p
),

-- For the evidence.
about AS (
    SELECT
        NULL::uuid AS run_id, NULL::text AS replica, 'resumed' AS kind,
        json_build_object('by', %(by)s::text) AS facts
),

-- include shared/evidence_entry.sql
,

-- The vendor's pauses.
by_vendor AS (
    UPDATE retention.partner_state s
    SET paused_until = statement_timestamp()
    FROM (
        SELECT partner, kind, paused_until FROM retention.partner_state
        WHERE (%(partner)s::text IS NULL OR partner = %(partner)s) AND paused_until > statement_timestamp()
        FOR UPDATE
    ) w
    WHERE s.partner = w.partner AND s.kind = w.kind
    RETURNING s.partner
),

-- The rounds that the vendor turned away wait as long.
due AS (
    UPDATE retention.cancellations c
    SET due_at = statement_timestamp()
    WHERE c.partner IN (SELECT partner FROM by_vendor) AND c.needs_follow_up AND c.due_at > statement_timestamp()
)

SELECT
    EXISTS (SELECT FROM person) AS by_person,
    ARRAY(SELECT DISTINCT partner FROM by_vendor ORDER BY partner) AS by_vendor
