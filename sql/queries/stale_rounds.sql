-- The rounds that a policy looks at, and what stands against planning each of them ('eligible': nothing).
SELECT
    o.partner, o.market, o.game_id, o.user_id, o.round_id, o.opened_at, o.stake, o.currency, o.bet_transaction_id,
    CASE
        WHEN EXISTS (
            SELECT FROM retention.holds h
            WHERE h.released_at IS NULL AND (h.until IS NULL OR h.until > %(as_of)s)
              AND (h.partner IS NULL OR h.partner = o.partner) AND (h.market IS NULL OR h.market = o.market)
              AND (h.game_id IS NULL OR h.game_id = o.game_id) AND (h.user_id IS NULL OR h.user_id = o.user_id)
              AND (h.round_id IS NULL OR h.round_id = o.round_id)
        ) THEN 'held'
        WHEN EXISTS (
            SELECT FROM retention.cancellations c JOIN retention.runs r ON r.run_id = c.run_id
            WHERE c.partner = o.partner AND c.round_id = o.round_id AND c.holds_round
              -- What an abandoned run never sent is no obstacle: it is planned again, by this one.
              AND NOT (c.state IN ('planned', 'retrying') AND NOT c.doubtful
                       AND (r.status IN ('halted', 'failed') OR r.active_until < %(as_of)s))
        ) THEN 'in_ledger'
        WHEN p.max_runs <= (
            SELECT count(*) FROM retention.cancellations c
            WHERE c.partner = o.partner AND c.round_id = o.round_id AND c.state IN ('rejected', 'already_completed')
        ) THEN 'given_up'
        ELSE 'eligible'
    END AS standing
FROM unnest(%(partners)s::text[], %(max_runs)s::integer[]) AS p (partner, max_runs)
JOIN retention.open_rounds o ON o.partner = p.partner
WHERE o.opened_at <= %(as_of)s::timestamptz - make_interval(secs => %(open_longer_than)s)
  AND (o.last_activity_at IS NULL OR %(idle_longer_than)s::float8 IS NULL
       OR o.last_activity_at <= %(as_of)s::timestamptz - make_interval(secs => %(idle_longer_than)s))
  AND (%(markets)s::text[] IS NULL OR o.market = ANY (%(markets)s::text[]))
  AND (%(games)s::text[] IS NULL OR o.game_id = ANY (%(games)s::text[]))
  AND o.market <> ALL (%(exclude_markets)s::text[])
  AND (o.game_id IS NULL OR o.game_id <> ALL (%(exclude_games)s::text[]))
