-- The ledger. Everything that `retention` knows or did stands here; nothing here is ever deleted by it.
-- Applied in one transaction by `retention db migrate`; a DBA may as well apply it by hand (see CONTRIBUTING.md).

CREATE TABLE retention.runs (
    run_id           uuid PRIMARY KEY,
    policy           text NOT NULL,
    trigger          text NOT NULL CHECK (trigger IN ('schedule', 'on_demand', 'targeted')),
    mode             text NOT NULL CHECK (mode IN ('dry_run', 'enforce')),
    scheduled_for    timestamptz,
    as_of            timestamptz NOT NULL,
    requested_by     text NOT NULL,
    reason           text,
    evidence         text,
    approved_by      text,
    settings         jsonb NOT NULL,
    overrides        jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(overrides) = 'array'),
    status           text NOT NULL CHECK (status IN
                         ('planned', 'awaiting_approval', 'running', 'finished', 'halted', 'failed', 'cancelled')),
    halt_reason      text,
    started_at       timestamptz,
    finished_at      timestamptz,
    -- Until when the fleet may take it that some process is at work on this run.
    active_until     timestamptz NOT NULL DEFAULT '-infinity',
    deadline_at      timestamptz NOT NULL DEFAULT 'infinity',
    halted_partners  text[] NOT NULL DEFAULT '{}',
    -- The newest replies to cancel requests, oldest first: 1 refused or in doubt, 0 any other. Read by max_failure_ratio.
    recent           text NOT NULL DEFAULT '' CHECK (recent ~ '^[01]{0,200}$'),
    UNIQUE (policy, scheduled_for),
    CHECK ((trigger = 'schedule') = (scheduled_for IS NOT NULL)),
    CHECK (status NOT IN ('halted', 'failed') OR halt_reason IS NOT NULL),
    CHECK ((status IN ('finished', 'failed', 'cancelled')) = (finished_at IS NOT NULL)),
    CHECK (status <> 'running' OR started_at IS NOT NULL)
);

CREATE INDEX runs_by_age ON retention.runs (as_of);

-- One row for each round and run, narrow, and updated in place: no column that claim and settle change on the straight
-- way (planned, claimed, cancelled) is in an index or in an index's predicate, so their updates are HOT.
CREATE TABLE retention.cancellations (
    id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id              uuid NOT NULL REFERENCES retention.runs,
    partner             text NOT NULL,
    market              text NOT NULL,
    game_id             text,
    user_id             text NOT NULL,
    round_id            text NOT NULL,
    opened_at           timestamptz NOT NULL,
    stake               numeric(38, 18),
    stake_currency      text,
    bet_transaction_id  text,
    state               text NOT NULL DEFAULT 'planned',
    error_code          text,
    description         text,
    currency            text,
    amount              numeric(38, 18) CHECK (amount >= 0),
    transaction_id      text,
    conflict            boolean NOT NULL DEFAULT false,
    detail              text,
    settled_at          timestamptz,
    attempts            integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    resolved_as         text,
    resolved_by         text,
    resolved_note       text,
    resolved_at         timestamptz,
    -- The attempt that the row is claimed for, or that settled it, and until when nobody else may act on it.
    attempt_uuid        uuid,
    lease_until         timestamptz,
    -- Cancel and status requests since the run that works on the row took it up.
    tries               integer NOT NULL DEFAULT 0 CHECK (tries >= 0),
    probes              integer NOT NULL DEFAULT 0 CHECK (probes >= 0),
    -- When a retry or a question is due; NULL in doubt: not before a later run takes it up.
    due_at              timestamptz,
    taken_up_by         uuid REFERENCES retention.runs,
    -- Some request of ours may have cancelled the round without our knowing.
    doubtful            boolean NOT NULL DEFAULT false,
    -- The vendor refused, and is to be asked once what the round is, before that stands.
    refused             boolean NOT NULL DEFAULT false,
    -- The row has left the straight way.
    unsettled           boolean NOT NULL DEFAULT false,
    -- No other row may be live for this round, or cancel it.
    holds_round         boolean NOT NULL DEFAULT true,
    UNIQUE (run_id, partner, id),
    CONSTRAINT cancellations_state CHECK (state IN
        ('planned', 'claimed', 'retrying', 'in_doubt', 'cancelled', 'already_cancelled', 'already_completed',
         'rejected', 'no_longer_open', 'held', 'not_sent', 'resolved')),
    CONSTRAINT cancellations_final_is_settled CHECK
        ((state IN ('planned', 'claimed', 'retrying', 'in_doubt')) = (settled_at IS NULL)),
    CONSTRAINT cancellations_claimed_has_lease CHECK
        ((state = 'claimed') = (lease_until IS NOT NULL) AND (state <> 'claimed' OR attempt_uuid IS NOT NULL)),
    CONSTRAINT cancellations_due CHECK
        ((state <> 'retrying' OR due_at IS NOT NULL) AND (due_at IS NULL OR state IN ('retrying', 'in_doubt'))),
    CONSTRAINT cancellations_unsettled CHECK (state NOT IN ('retrying', 'in_doubt') OR unsettled),
    CONSTRAINT cancellations_cancelled_was_asked CHECK
        (state NOT IN ('cancelled', 'already_cancelled', 'already_completed', 'rejected') OR attempts > 0),
    CONSTRAINT cancellations_refund CHECK
        (state IN ('cancelled', 'already_cancelled', 'resolved')
         OR (amount IS NULL AND currency IS NULL AND transaction_id IS NULL)),
    CONSTRAINT cancellations_resolved CHECK
        ((state = 'resolved') = (resolved_as IS NOT NULL)
         AND (state = 'resolved') = (resolved_by IS NOT NULL)
         AND (state = 'resolved') = (resolved_note IS NOT NULL)
         AND (state = 'resolved') = (resolved_at IS NOT NULL)),
    CONSTRAINT cancellations_resolved_as CHECK (resolved_as IN
        ('cancelled', 'already_cancelled', 'already_completed', 'rejected', 'no_longer_open', 'held', 'not_sent')),
    CONSTRAINT cancellations_holds_round CHECK (holds_round = (
        state IN ('planned', 'claimed', 'retrying', 'in_doubt', 'cancelled', 'already_cancelled')
        OR coalesce(resolved_as IN ('cancelled', 'already_cancelled'), false)))
) WITH (fillfactor = 60);

CREATE UNIQUE INDEX cancellations_one_per_round ON retention.cancellations (partner, round_id) WHERE holds_round;
CREATE INDEX cancellations_by_round ON retention.cancellations (partner, round_id);
CREATE INDEX cancellations_unsettled ON retention.cancellations (partner, due_at) WHERE unsettled;
CREATE INDEX cancellations_taken_up ON retention.cancellations (taken_up_by) WHERE taken_up_by IS NOT NULL;

-- One row for each request. Committed before the request leaves: what the vendor was asked can be found here.
CREATE TABLE retention.attempts (
    uuid             uuid PRIMARY KEY,
    cancellation_id  bigint NOT NULL,
    run_id           uuid NOT NULL,
    kind             text NOT NULL CHECK (kind IN ('cancel', 'status')),
    replica          text NOT NULL,
    claimed_at       timestamptz NOT NULL,
    sent_at          timestamptz,
    replied_at       timestamptz,
    http_status      smallint CHECK (http_status BETWEEN 100 AND 999),
    error_code       text,
    outcome          text CHECK (outcome IN
                         ('cancelled', 'already_cancelled', 'already_completed', 'retry', 'rejected', 'unauthorized',
                          'throttled', 'not_connected', 'in_doubt', 'in_progress', 'released')),
    detail           text,
    CHECK (outcome IS NOT NULL OR (sent_at IS NULL AND replied_at IS NULL AND http_status IS NULL)),
    CHECK (outcome IS DISTINCT FROM 'released' OR sent_at IS NULL)
) WITH (fillfactor = 60);

CREATE INDEX attempts_by_cancellation ON retention.attempts (cancellation_id);

CREATE TABLE retention.holds (
    hold_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    partner      text,
    market       text,
    game_id      text,
    user_id      text,
    round_id     text,
    reason       text NOT NULL,
    created_by   text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    until        timestamptz,
    released_at  timestamptz,
    released_by  text,
    CHECK (num_nonnulls(partner, market, game_id, user_id, round_id) > 0),
    CHECK ((released_at IS NULL) = (released_by IS NULL))
);

-- The kill switch; a row without a partner stands for all of them.
CREATE TABLE retention.pauses (
    pause_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    partner     text,
    reason      text NOT NULL,
    paused_by   text NOT NULL,
    paused_at   timestamptz NOT NULL DEFAULT now(),
    resumed_by  text,
    resumed_at  timestamptz,
    CHECK ((resumed_at IS NULL) = (resumed_by IS NULL))
);

CREATE UNIQUE INDEX pauses_one_at_a_time ON retention.pauses (coalesce(partner, '')) WHERE resumed_at IS NULL;

-- How fast the whole fleet may call a partner. One row for each lane: cancel requests and status requests.
CREATE TABLE retention.partner_state (
    partner       text NOT NULL,
    lane          text NOT NULL CHECK (lane IN ('cancel', 'status')),
    next_slot     timestamptz NOT NULL DEFAULT '-infinity',
    paused_until  timestamptz NOT NULL DEFAULT '-infinity',
    -- Requests per second; below the configured rate after a 429, and growing back to it. NULL: the configured one.
    rate          double precision CHECK (rate > 0),
    rate_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (partner, lane)
) WITH (fillfactor = 20);
