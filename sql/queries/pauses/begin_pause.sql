-- Purpose: Pauses one partner or (NULL) all. A pause that stands already stays.
-- Locks: the partner's pause, until the commit.
-- Returns: who paused, why, and whether this call did.
WITH

-- The pause that stands now. No transaction has changed a row that is new.
paused AS (
    INSERT INTO retention.pauses AS p (partner, reason, paused_by, paused_at)
    VALUES (%(partner)s, %(reason)s, %(by)s, statement_timestamp())
    ON CONFLICT (coalesce(partner, '')) WHERE resumed_at IS NULL DO UPDATE SET resumed_at = p.resumed_at
    RETURNING p.*, p.xmax = 0 AS made
),

-- Its hash.
leaves AS (
    SELECT
        'pause' AS subject, p.pause_id::text AS id,
        -- include shared/pause_leaf.sql
        AS hash
    FROM paused p WHERE p.made
),

-- For the evidence.
about AS (
    SELECT
        NULL::uuid AS run_id, NULL::text AS replica, 'paused' AS kind,
        json_build_object('by', %(by)s::text, 'note', %(reason)s::text) AS facts
),

-- include shared/evidence_entry.sql

SELECT paused_by, reason, made FROM paused
