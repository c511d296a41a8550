-- The doubts that earlier runs left, within what this run looks at: settled in their own rows, before anything new.
UPDATE retention.cancellations c
SET taken_up_by = %(run_id)s, state = 'in_doubt', due_at = statement_timestamp(), tries = 0, probes = 0
FROM retention.runs r
WHERE r.run_id = coalesce(c.taken_up_by, c.run_id) AND r.run_id <> %(run_id)s
  AND (r.status <> 'running' OR r.active_until < statement_timestamp())
  AND c.partner = %(partner)s AND c.unsettled
  AND (c.state = 'in_doubt' OR (c.state = 'retrying' AND c.doubtful))
  AND (%(markets)s::text[] IS NULL OR c.market = ANY (%(markets)s::text[]))
  AND (%(games)s::text[] IS NULL OR c.game_id = ANY (%(games)s::text[]))
  AND c.market <> ALL (%(exclude_markets)s::text[])
  AND (c.game_id IS NULL OR c.game_id <> ALL (%(exclude_games)s::text[]))
RETURNING c.id
