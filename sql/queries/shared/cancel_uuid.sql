-- Fragment: the uuid of the cancel request behind a cancellation `s`: the one that the vendor confirmed; else the
-- newest that may have cancelled the round; else the newest that reached the vendor. NULL where no cancel request
-- reached it.
-- A report shows this uuid, because the vendor knows no cancel under the uuid of a probe.
CASE
    -- Only the reply to a cancel request tells a refund, so the row has its uuid. Most rounds need no attempts.
    WHEN s.state = 'cancelled' AND num_nonnulls(s.amount, s.currency, s.transaction_id) > 0 THEN s.attempt_uuid
    ELSE (
        SELECT a.uuid FROM retention.attempts a
        WHERE a.cancellation_id = s.id AND a.kind = 'cancel'
          AND (a.outcome IS NULL OR a.outcome NOT IN ('released', 'not_connected'))
        ORDER BY
            CASE
                WHEN a.outcome = 'cancelled' THEN a.uuid IS DISTINCT FROM s.attempt_uuid
            END NULLS LAST,
            CASE WHEN a.outcome IS NULL OR a.outcome IN ('in_doubt', 'retry') THEN 0
                 WHEN a.outcome = 'already_cancelled' THEN 1 ELSE 2 END,
            a.claimed_at DESC, a.uuid
        LIMIT 1)
END
