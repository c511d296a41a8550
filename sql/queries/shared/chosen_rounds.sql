-- Fragment, as CTEs: the stale rounds, and in `chosen` the rounds that a plan takes, oldest first.

-- All that the policy looks at.
stale AS (
    -- include shared/stale_rounds.sql
),

-- The oldest eligible rounds, `limit` of them.
chosen AS (
    SELECT * FROM stale WHERE standing = 'eligible' ORDER BY opened_at, partner, round_id LIMIT %(limit)s::bigint
)
