-- Fragment: whether the row `o` of the operator's view is within the policy's ages, partners, markets and games.
(o.opened_at <= %(as_of)s::timestamptz - make_interval(secs => %(open_longer_than)s)
     OR o.opened_at IS NULL OR o.opened_at >= timestamptz '9001-01-01 00:00:00+00')
-- Partners of other policies alone are left to those.
AND (o.partner = ANY (%(other_partners)s::text[])) IS NOT TRUE
AND (o.last_activity_at IS NULL OR %(idle_longer_than)s::float8 IS NULL
     OR o.last_activity_at <= %(as_of)s::timestamptz - make_interval(secs => %(idle_longer_than)s)
     OR o.last_activity_at >= timestamptz '9001-01-01 00:00:00+00')
AND (%(markets)s::text[] IS NULL OR o.market = ANY (%(markets)s::text[])
     OR o.market IS NULL OR btrim(o.market) = '')
AND (%(games)s::text[] IS NULL OR o.game_id = ANY (%(games)s::text[]))
AND (o.market = ANY (%(exclude_markets)s::text[])) IS NOT TRUE
AND (o.game_id IS NULL OR o.game_id <> ALL (%(exclude_games)s::text[]))
