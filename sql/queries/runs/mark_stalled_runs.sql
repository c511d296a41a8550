-- Marks the runs that make no progress (NULL: all of them, else this one) as stalled, so that people are told. One that no
-- process works on has failed: a person goes on with it, or a later run plans its rounds again. A scheduled one is left to
-- the daemons, who go on with it by themselves, but for `scheduled`. Returns what is news.
WITH still AS (
    SELECT
        r.run_id, coalesce(r.progressed_at, r.started_at, r.as_of) AS since,
        r.heartbeat_until < statement_timestamp() AND (r.trigger <> 'schedule' OR %(scheduled)s) AS interrupted
    FROM retention.runs r
    WHERE r.status IN ('planned', 'running') AND (%(run_id)s::uuid IS NULL OR r.run_id = %(run_id)s)
      AND
          -- include shared/stalled_run.sql
    FOR NO KEY UPDATE OF r SKIP LOCKED
)
UPDATE retention.runs r
SET stalled_at = coalesce(r.stalled_at, statement_timestamp()), notified = false,
    status = CASE WHEN s.interrupted THEN 'failed' ELSE r.status END,
    halt_reason = CASE WHEN s.interrupted THEN %(reason)s ELSE r.halt_reason END,
    finished_at = CASE WHEN s.interrupted THEN statement_timestamp() ELSE r.finished_at END,
    ended_by = CASE WHEN s.interrupted THEN %(replica)s ELSE r.ended_by END
FROM still s
WHERE r.run_id = s.run_id AND (s.interrupted OR r.stalled_at IS NULL)
RETURNING r.run_id, r.policy, s.since, s.interrupted
