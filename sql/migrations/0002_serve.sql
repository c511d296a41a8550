-- What `retention serve` needs: schedules that are looked after, runs that go on by themselves, and people who are told.

-- Up to when the times of each policy's schedule are decided: each of them was run, or is recorded as missed.
CREATE TABLE retention.schedules (
    policy         text PRIMARY KEY,
    schedule       text NOT NULL,
    timezone       text NOT NULL,
    decided_until  timestamptz NOT NULL
);

ALTER TABLE retention.runs
    -- Halted by the kill switch: goes on by itself once that is released.
    ADD COLUMN paused boolean NOT NULL DEFAULT false,
    -- Whether what the run came to is passed on as a notification, or is not worth one.
    ADD COLUMN told boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT runs_paused_is_halted CHECK (NOT paused OR status = 'halted');

UPDATE retention.runs SET told = true; -- nobody wants to be told today of what was over before

CREATE INDEX runs_unfinished ON retention.runs (as_of) WHERE status IN ('planned', 'running') OR paused;
CREATE INDEX runs_untold ON retention.runs (as_of) WHERE NOT told;

-- What a person must know. The body is kept as it is sent and signed, so that each try sends the same.
CREATE TABLE retention.notifications (
    notification_id  uuid PRIMARY KEY,
    event            text NOT NULL,
    run_id           uuid NOT NULL REFERENCES retention.runs,
    created_at       timestamptz NOT NULL,
    body             text NOT NULL
);

-- One row for each notification and whoever is to have it.
CREATE TABLE retention.deliveries (
    notification_id  uuid NOT NULL REFERENCES retention.notifications,
    target           text NOT NULL,
    tries            integer NOT NULL DEFAULT 0 CHECK (tries >= 0),
    -- When it is tried (again); NULL once it is delivered or given up, which leaves a problem.
    due_at           timestamptz,
    delivered_at     timestamptz,
    -- What became of the newest try, where it failed.
    problem          text,
    PRIMARY KEY (notification_id, target),
    CHECK (delivered_at IS NULL OR due_at IS NULL),
    CHECK (delivered_at IS NOT NULL OR due_at IS NOT NULL OR problem IS NOT NULL)
);

CREATE INDEX deliveries_due ON retention.deliveries (due_at) WHERE due_at IS NOT NULL;
