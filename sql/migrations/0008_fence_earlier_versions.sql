-- A fence: processes of 0.1.0 that are still at work when the ledger is migrated send nothing more.
-- Their claims, their heartbeats, and each statement with which they begin or end a run name these two columns, and
-- fail. Such a process ends. What it had in flight becomes a doubt when the lease ends, and is asked about first.
-- Without this it would go on, and change rows without evidence, which is what a falsification looks like.
ALTER TABLE retention.runs RENAME COLUMN deadline_at TO send_until;
ALTER TABLE retention.runs RENAME COLUMN ended_by TO ended_by_process;

-- As before, with the new name.
-- Records that the person `by_name` rejects a run, and cancels it with `ended_for` as its halt_reason, or returns why
-- not.
CREATE OR REPLACE FUNCTION retention.reject_run(
    of_run uuid, by_name text, digest text, note text, ended_for text, replica text,
    OUT verdict text, OUT decided retention.runs)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    SELECT * INTO decided FROM retention.runs WHERE run_id = of_run FOR UPDATE;
    verdict := retention.decision_refused(decided, by_name, digest);
    IF verdict IS NULL THEN
        UPDATE retention.runs
        SET rejected_by = by_name, rejected_at = clock_timestamp(), decision_note = note,
            status = 'cancelled', halt_reason = ended_for, finished_at = clock_timestamp(),
            ended_by_process = replica, notified = false
        WHERE run_id = of_run
        RETURNING * INTO decided;
        verdict := 'rejected_now';
    END IF;
END
$$;
