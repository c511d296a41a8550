-- Purpose: Settles as not sent the named rounds that abandoned runs planned and never sent, and that a targeted run
--     plans again.
-- Locks: the superseded rows.
-- Returns: how many they are.
WITH

-- The named rounds that nothing stands against.
chosen AS (
    SELECT named.* FROM (
        -- include shared/named_rounds.sql
    ) named
    WHERE named.standing = 'eligible'
),

-- include shared/superseded_rounds.sql
