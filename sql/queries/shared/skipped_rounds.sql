-- Fragment: settles the rounds of `rechecked` that must not be called any more. `skip_details` has a text for each
-- `why`, with a place for one value.
-- A player's return counts as no longer open: the view shows activity after the plan.
UPDATE retention.cancellations c
SET state = CASE
        WHEN c.may_have_taken_effect THEN 'in_doubt' WHEN l.why = 'held' THEN 'held'
        WHEN l.why IN ('doubled', 'broken') THEN 'not_sent'
        ELSE 'no_longer_open' END,
    due_at = CASE WHEN c.may_have_taken_effect AND %(status_probe)s AND c.probes_this_run < %(max_attempts)s
                  THEN statement_timestamp() END,
    settled_at = CASE WHEN NOT c.may_have_taken_effect THEN statement_timestamp() END,
    needs_follow_up = c.may_have_taken_effect,
    review = CASE WHEN l.why IN ('doubled', 'broken') AND NOT c.may_have_taken_effect THEN 'finding' END,
    detail = format(%(skip_details)s::jsonb ->> l.why, CASE l.why
        WHEN 'doubled' THEN l.rows::text
        WHEN 'broken' THEN l.broken
        WHEN 'opened_again' THEN
            CASE WHEN isfinite(l.opened_at) THEN to_char(l.opened_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
                 ELSE coalesce(l.opened_at::text, %(skip_details)s::jsonb ->> 'no_time') END
        WHEN 'another_market' THEN coalesce(l.market, %(skip_details)s::jsonb ->> 'no_market')
        WHEN 'came_back' THEN to_char(l.last_activity_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') END)
FROM rechecked l
WHERE c.id = l.id AND c.id >= %(first_id)s AND l.why IS NOT NULL
RETURNING c.*
