-- The doubts that earlier runs left, within what this run looks at: settled in their own rows, before anything new.
UPDATE retention.cancellations c
SET adopted_by_run = %(run_id)s, state = 'in_doubt', due_at = statement_timestamp(), attempts_this_run = 0, probes_this_run = 0
FROM retention.runs r
WHERE r.run_id = coalesce(c.adopted_by_run, c.run_id) AND r.run_id <> %(run_id)s
  AND (r.status <> 'running' OR r.heartbeat_until < statement_timestamp())
  AND c.partner = %(partner)s AND c.needs_follow_up
  AND (c.state = 'in_doubt' OR (c.state = 'retrying' AND c.may_have_taken_effect))
  AND (%(markets)s::text[] IS NULL OR c.market = ANY (%(markets)s::text[]))
  AND (%(games)s::text[] IS NULL OR c.game_id = ANY (%(games)s::text[]))
  AND c.market <> ALL (%(exclude_markets)s::text[])
  AND (c.game_id IS NULL OR c.game_id <> ALL (%(exclude_games)s::text[]))
RETURNING c.id
