-- Settles the rounds of `looked` that are not to be called any more.
UPDATE retention.cancellations c
SET state = CASE
        WHEN c.may_have_taken_effect THEN 'in_doubt' WHEN l.why = 'held' THEN 'held'
        WHEN l.why IN ('doubled', 'broken') THEN 'not_sent'
        ELSE 'no_longer_open' END,
    due_at = CASE WHEN c.may_have_taken_effect AND %(status_probe)s AND c.probes_this_run < %(max_attempts)s THEN statement_timestamp() END,
    settled_at = CASE WHEN NOT c.may_have_taken_effect THEN statement_timestamp() END,
    needs_follow_up = c.may_have_taken_effect,
    review = CASE WHEN l.why IN ('doubled', 'broken') AND NOT c.may_have_taken_effect THEN 'finding' END,
    detail = CASE l.why
        WHEN 'closed' THEN 'not in the operator''s view any more'
        WHEN 'doubled' THEN 'the operator''s view has this round ' || l.rows || ' times'
        WHEN 'broken' THEN 'the operator''s view has this round with a value that makes no sense any more: ' || l.broken
        WHEN 'opened_again' THEN 'another round under this id, opened at '
            || CASE WHEN isfinite(l.opened_at) THEN to_char(l.opened_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
                    ELSE coalesce(l.opened_at::text, 'no time') END
        WHEN 'another_user' THEN 'another player''s round under this id'
        WHEN 'another_market' THEN 'another round under this id, in market ' || coalesce(l.market, 'none')
        WHEN 'came_back' THEN 'the player came back at '
            || to_char(l.last_activity_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
        ELSE 'on hold' END
FROM looked l
WHERE c.id = l.id AND l.why IS NOT NULL
RETURNING c.id, c.state, c.market, c.round_id, c.run_id, c.detail
