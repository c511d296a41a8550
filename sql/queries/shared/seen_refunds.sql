-- Fragment: the wallet's refunds of the cancellation `s`: their number and times; their sum in the expected currency,
-- which is the promised one, else the stake's; and their only currency with its sum, where they have one alone.
-- A sum that has an amount without a value, or that numeric(38,18) does not hold, is NULL, and so is a time that no
-- calendar has.
-- A play of a round's id has no name in the wallet: refunds of an earlier play of the same id count as the round's own.
-- By the key: an aggregate for each round keeps the planner from reading the whole view.
SELECT
    coalesce(sum(g.refunds), 0)::bigint AS refunds, min(g.first_at) AS first_at, max(g.last_at) AS last_at,
    count(*) = 1 AS one_currency,
    CASE WHEN count(*) = 1 THEN max(g.currency) END AS only_currency,
    CASE WHEN count(*) = 1 THEN max(g.amount) END AS only_amount,
    coalesce(bool_or(g.expected), false) AS has_expected,
    max(g.amount) FILTER (WHERE g.expected) AS expected_amount,
    min(g.first_at) FILTER (WHERE g.expected) AS expected_at
FROM (
    SELECT
        w.currency, w.currency = upper(coalesce(s.currency, s.stake_currency)) AS expected, count(*) AS refunds,
        CASE WHEN bool_and(w.makes_sense) AND abs(sum(w.amount) FILTER (WHERE w.makes_sense)) < 1e20
             THEN sum(w.amount) FILTER (WHERE w.makes_sense) END AS amount,
        min(w.at) AS first_at, max(w.at) AS last_at
    FROM (
        SELECT
            nullif(upper(btrim(o.currency, E' \t\n\r')), '') AS currency, o.amount,
            -- NaN is above all numbers. An amount of thousands of digits must not reach the sum.
            coalesce(abs(o.amount) < 1e20 AND scale(trim_scale(o.amount)) <= 18, false) AS makes_sense,
            CASE WHEN o.refunded_at >= timestamptz '2000-01-01 00:00:00+00'
                      AND o.refunded_at < timestamptz '9001-01-01 00:00:00+00' THEN o.refunded_at END AS at
        FROM retention.wallet_refunds o WHERE o.partner = s.partner AND o.round_id = s.round_id
    ) w
    GROUP BY w.currency
) g
