-- Two roles, with the rights that they need in this database and no more. Run it after open_rounds.sql and
-- close_rounds.sql, and again after each `retention db migrate`, as a superuser, or as a role that may create roles and
-- owns the schema `retention` with everything in it. A second run changes nothing.
--
--   retention_job     does the work: `retention run`, `hold`, `pause`, `review` ...
--   retention_report  reads, and changes nothing: `report`, `runs`, `explain`, `plan`, `hold list`, `review list`
--
-- Neither has a password. Give them a way in (\password retention_job, or a line of pg_hba.conf), or let a login of
-- your own have their rights: GRANT retention_job TO nightly. For other names, replace these throughout.
--
-- Plans on a replica (read_dsn) need temporary tables on the primary. PUBLIC may make them, unless you have revoked
-- that: GRANT TEMPORARY ON DATABASE operator TO retention_job, retention_report.
--
-- Neither gets anything in `public` or on your own tables: the view and the function work with their owner's rights.
-- Neither may delete: the record of the job's work stays. Plans and attempts can be added to, not rewritten, and no row
-- is born approved, sent, settled, resolved or released.

BEGIN;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'retention_job') THEN
        CREATE ROLE retention_job LOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'retention_report') THEN
        CREATE ROLE retention_report LOGIN;
    END IF;
END
$$;

-- All rights that are not granted below are taken back.
REVOKE ALL ON SCHEMA retention FROM retention_job, retention_report;
REVOKE ALL ON ALL TABLES IN SCHEMA retention FROM retention_job, retention_report;
REVOKE ALL ON ALL ROUTINES IN SCHEMA retention FROM retention_job, retention_report;

-- The job.
GRANT USAGE ON SCHEMA retention TO retention_job;
GRANT SELECT ON retention.schema_migrations TO retention_job;
GRANT SELECT ON retention.open_rounds TO retention_job;
GRANT EXECUTE ON FUNCTION retention.close_rounds(text[], text[], timestamptz[], text[], numeric[], text[])
    TO retention_job;
GRANT EXECUTE ON FUNCTION retention.refuse_closing(text) TO retention_job;
GRANT EXECUTE ON FUNCTION retention.begin_month() TO retention_job;
-- Plans and approvals: these functions alone write the columns of an approval.
GRANT EXECUTE ON FUNCTION retention.seal_plan(uuid) TO retention_job;
GRANT EXECUTE ON FUNCTION retention.approve_run(uuid, text, text, text) TO retention_job;
GRANT EXECUTE ON FUNCTION retention.reject_run(uuid, text, text, text, text, text) TO retention_job;

GRANT SELECT ON retention.runs TO retention_job;
GRANT INSERT (run_id, policy, trigger, mode, scheduled_for, as_of, requested_by, reason, evidence, settings, status,
              halt_reason, started_at, finished_at, send_until, ended_by_process, unwritten_plan)
    ON retention.runs TO retention_job;
GRANT UPDATE (status, halt_reason, overrides, started_at, finished_at, heartbeat_until, send_until, halted_partners,
              recent_replies, recent_replies_tried_before, refused_closings, paused, paused_partners, notified,
              ended_by_process, unwritten_plan, progressed_at, stalled_at, planned_rounds)
    ON retention.runs TO retention_job;

GRANT SELECT ON retention.cancellations TO retention_job;
GRANT INSERT (run_id, partner, market, game_id, user_id, round_id, opened_at, stake, stake_currency, bet_transaction_id,
              state, settled_at, detail, tried_before, last_activity_at)
    ON retention.cancellations TO retention_job;
GRANT UPDATE (state, error_code, description, currency, amount, transaction_id, conflict, detail, settled_at, attempts,
              resolved_as, resolved_by, resolved_note, resolved_at, resolved_from, attempt_uuid, lease_until,
              attempts_this_run, probes_this_run, due_at, adopted_by_run, may_have_taken_effect, refusal_pending_probe,
              needs_follow_up, in_progress_at, incomplete, review, user_id, winnings)
    ON retention.cancellations TO retention_job;

-- Triggers write the totals, with their owner's rights.
GRANT SELECT ON retention.run_totals, retention.plan_totals TO retention_job;
GRANT SELECT ON retention.round_keys TO retention_job;

GRANT SELECT ON retention.attempts TO retention_job;
GRANT INSERT (uuid, cancellation_id, run_id, kind, replica, claimed_at) ON retention.attempts TO retention_job;
GRANT UPDATE (sent_at, replied_at, http_status, error_code, outcome, detail) ON retention.attempts TO retention_job;

GRANT SELECT ON retention.other_transactions TO retention_job;
GRANT INSERT (transaction_id, cancellation_id) ON retention.other_transactions TO retention_job;

GRANT SELECT ON retention.holds TO retention_job;
GRANT INSERT (partner, market, game_id, user_id, round_id, reason, created_by, created_at, until)
    ON retention.holds TO retention_job;
GRANT UPDATE (released_at, released_by, user_id) ON retention.holds TO retention_job;

GRANT SELECT ON retention.pauses TO retention_job;
GRANT INSERT (partner, reason, paused_by, paused_at) ON retention.pauses TO retention_job;
GRANT UPDATE (resumed_by, resumed_at) ON retention.pauses TO retention_job;

GRANT SELECT ON retention.partner_state TO retention_job;
GRANT INSERT (partner, kind) ON retention.partner_state TO retention_job;
GRANT UPDATE (next_slot, paused_until, rate, rate_at, server_started, rate_group, wanted_at, wanted_rate,
              share_until)
    ON retention.partner_state TO retention_job;

GRANT SELECT ON retention.rate_groups TO retention_job;
GRANT INSERT (name) ON retention.rate_groups TO retention_job;
GRANT UPDATE (begins, step, taken, next_slot, last_slot, rate, rate_at, throttled_partner, throttled_at)
    ON retention.rate_groups TO retention_job;

GRANT SELECT, INSERT ON retention.schedules TO retention_job;
GRANT UPDATE (schedule, timezone, processed_until) ON retention.schedules TO retention_job;

-- The reports of `serve`.
GRANT SELECT ON retention.reports TO retention_job;
GRANT INSERT (report_id, name, scheduled_for, status, period, period_start, period_end, settings, recorded_by,
              recorded_at, due_at, problem)
    ON retention.reports TO retention_job;
GRANT UPDATE (status, replica, tries, due_at, file, file_sha256, rows, totals, checkpoint, problem, made_at, notified)
    ON retention.reports TO retention_job;

GRANT SELECT, INSERT ON retention.notifications TO retention_job;

GRANT SELECT ON retention.ledger_key TO retention_job;
GRANT SELECT ON retention.evidence TO retention_job;
GRANT INSERT (run_id, replica, kind, body) ON retention.evidence TO retention_job;
GRANT SELECT ON retention.evidence_leaves TO retention_job;
GRANT INSERT (leaf, entry_id, hash) ON retention.evidence_leaves TO retention_job;
GRANT SELECT ON retention.checkpoints TO retention_job;
GRANT INSERT (size, root, signature, frontier, placed_before, server) ON retention.checkpoints TO retention_job;

GRANT SELECT ON retention.archives TO retention_job;

GRANT SELECT ON retention.findings TO retention_job;
GRANT INSERT (cancellation_id, kind, ledger, vendor, operator, wallet) ON retention.findings TO retention_job;
GRANT UPDATE (resolved_at) ON retention.findings TO retention_job;

GRANT SELECT ON retention.deliveries TO retention_job;
GRANT INSERT (notification_id, target, due_at) ON retention.deliveries TO retention_job;
GRANT UPDATE (tries, due_at, delivered_at, last_error) ON retention.deliveries TO retention_job;

-- Those who report.
GRANT USAGE ON SCHEMA retention TO retention_report;
GRANT SELECT ON retention.schema_migrations, retention.runs, retention.cancellations, retention.attempts,
    retention.holds, retention.pauses, retention.partner_state, retention.rate_groups, retention.ledger_key,
    retention.evidence, retention.evidence_leaves, retention.checkpoints, retention.findings,
    retention.other_transactions, retention.run_totals, retention.plan_totals, retention.round_keys,
    retention.archives
    TO retention_report;
-- The open rounds: `plan` and `explain` tell of them. Leave it out where those who report are not to see that.
GRANT SELECT ON retention.open_rounds TO retention_report;

-- The wallet's refunds, where there is such a view.
DO $$
BEGIN
    IF to_regclass('retention.wallet_refunds') IS NOT NULL THEN
        GRANT SELECT ON retention.wallet_refunds TO retention_job, retention_report;
    END IF;
END
$$;

COMMIT;
