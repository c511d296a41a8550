-- Fragment: whether the cancellation `c` is in the run's markets and games.
(%(markets)s::text[] IS NULL OR c.market = ANY (%(markets)s::text[]))
AND (%(games)s::text[] IS NULL OR c.game_id = ANY (%(games)s::text[]))
AND c.market <> ALL (%(exclude_markets)s::text[])
AND (c.game_id IS NULL OR c.game_id <> ALL (%(exclude_games)s::text[]))
