-- Purpose: Finds for each run the ids just before and after its own. No other id shares more first digits with it.
-- Locks: none.
-- Returns: a row per run.
SELECT
    given.run_id,
    (SELECT r.run_id FROM retention.runs r WHERE r.run_id < given.run_id ORDER BY r.run_id DESC LIMIT 1) AS before,
    (SELECT r.run_id FROM retention.runs r WHERE r.run_id > given.run_id ORDER BY r.run_id LIMIT 1) AS after
FROM unnest(%(run_ids)s::uuid[]) AS given (run_id)
