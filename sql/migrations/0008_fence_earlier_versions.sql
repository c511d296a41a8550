-- A fence: processes of 0.1.0 that are still at work when the ledger is migrated send nothing more.
-- Their claims, their heartbeats, and each statement with which they begin or end a run name these two columns, and
-- fail. Such a process ends. What it had in flight becomes a doubt when the lease ends, and is asked about first.
-- Without this it would go on, and change rows without evidence, which is what a falsification looks like.
ALTER TABLE retention.runs RENAME COLUMN deadline_at TO send_until;
ALTER TABLE retention.runs RENAME COLUMN ended_by TO ended_by_process;
