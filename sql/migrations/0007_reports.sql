-- What reports tell besides: when a round was last active, what the vendor told of its winnings; and the reports that
-- `serve` makes.

-- `last_activity_at`: as the operator's view had it when the round was planned. `winnings`: as the vendor's newest
-- answer told them, in currency units, 0 included; NULL where it was not asked, or told none.
ALTER TABLE retention.cancellations
    ADD COLUMN last_activity_at timestamptz,
    ADD COLUMN winnings numeric(38, 18);

-- For the report of decisions: a person's decisions among the evidence of batches, and the resolved rows among the
-- others. A row gets `resolved_at` once its work is over, so claims and settlements stay HOT.
CREATE INDEX evidence_decisions ON retention.evidence (entry_id)
    WHERE kind IN ('approved', 'rejected', 'overridden', 'continued', 'called_off', 'hold_added', 'hold_released',
                   'paused', 'resumed', 'resolved', 'reclosed', 'pseudonymised');
CREATE INDEX cancellations_resolved ON retention.cancellations (resolved_at) WHERE resolved_at IS NOT NULL;

-- The schedules of reports stand beside those of policies; both may have the same name.
ALTER TABLE retention.schedules RENAME COLUMN policy TO name;
ALTER TABLE retention.schedules
    ADD COLUMN kind text NOT NULL DEFAULT 'policy' CHECK (kind IN ('policy', 'report')),
    DROP CONSTRAINT schedules_pkey,
    ADD PRIMARY KEY (kind, name);

-- The reports of `serve`: one row for each scheduled time.
CREATE TABLE retention.reports (
    report_id      uuid PRIMARY KEY,
    name           text NOT NULL,
    scheduled_for  timestamptz NOT NULL,
    status         text NOT NULL CHECK (status IN ('planned', 'writing', 'made', 'failed', 'missed')),
    -- The period by its own name, such as 2026-10, as the scheduled time resolves it: from `period_start` on, and
    -- before `period_end`.
    period         text NOT NULL,
    period_start   timestamptz NOT NULL,
    period_end     timestamptz NOT NULL,
    -- The report as it was configured when it was planned.
    settings       jsonb NOT NULL,
    -- The process that planned it, or recorded that it was missed.
    recorded_by    text NOT NULL,
    recorded_at    timestamptz NOT NULL,
    -- The process that writes or wrote it.
    replica        text,
    tries          integer NOT NULL DEFAULT 0 CHECK (tries >= 0),
    -- When the next try may begin: after a pause, or, while it is written, when the lease of its maker ends.
    due_at         timestamptz,
    -- The path of the file; NULL where the report has none.
    file           text,
    file_sha256    text,
    rows           bigint,
    totals         jsonb,
    -- The checkpoint of the evidence that the report names.
    checkpoint     jsonb,
    -- Why the newest try failed, or why the time was missed.
    problem        text,
    made_at        timestamptz,
    -- The outbox holds a notification of the report, or it needs none.
    notified       boolean NOT NULL DEFAULT false,
    UNIQUE (name, scheduled_for),
    CHECK ((status IN ('planned', 'writing')) = (due_at IS NOT NULL)),
    CHECK ((status = 'made') = (made_at IS NOT NULL)),
    CHECK (status <> 'writing' OR replica IS NOT NULL),
    CHECK (status NOT IN ('failed', 'missed') OR problem IS NOT NULL)
);

CREATE INDEX reports_due ON retention.reports (due_at) WHERE status IN ('planned', 'writing');
CREATE INDEX reports_to_notify ON retention.reports (scheduled_for) WHERE NOT notified;

-- A notification is of a run or of a report.
ALTER TABLE retention.notifications
    ALTER COLUMN run_id DROP NOT NULL,
    ADD COLUMN report_id uuid REFERENCES retention.reports,
    ADD CONSTRAINT notifications_of_one CHECK (num_nonnulls(run_id, report_id) = 1);
