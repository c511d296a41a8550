-- The ledger: all tables of `retention`. The program never deletes a row of them.
-- `retention db migrate` applies this file in one transaction; a DBA may apply it by hand.
-- HOT updates decide the columns. `state` is in no index and in no index predicate; indexes use `holds_round` and
-- `needs_follow_up`, which keep their value from planned to cancelled. CHECK constraints tie them to the state. Pages
-- have room for two versions of each row (`fillfactor`), because a claim writes all its rows before any is settled.
-- `attempts` has no foreign key, because its check would lock every row: the statement that writes a row also updates
-- its cancellation, and nothing is ever deleted.

-- One row per run of a policy. A missed time of a schedule is a cancelled run.
CREATE TABLE retention.runs (
    run_id            uuid PRIMARY KEY,
    policy            text NOT NULL,
    trigger           text NOT NULL CHECK (trigger IN ('schedule', 'on_demand', 'targeted')),
    mode              text NOT NULL CHECK (mode IN ('dry_run', 'enforce')),
    scheduled_for     timestamptz,
    as_of             timestamptz NOT NULL,
    requested_by      text NOT NULL,
    reason            text,
    evidence          text,
    approved_by       text,
    settings          jsonb NOT NULL,
    overrides         jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(overrides) = 'array'),
    status            text NOT NULL CHECK (status IN
                          ('planned', 'awaiting_approval', 'running', 'finished', 'halted', 'failed', 'cancelled')),
    halt_reason       text,
    started_at        timestamptz,
    finished_at       timestamptz,
    -- The newest heartbeat promises a process at work on the run until this time. Later, the run counts as abandoned.
    heartbeat_until   timestamptz NOT NULL DEFAULT '-infinity',
    deadline_at       timestamptz NOT NULL DEFAULT 'infinity',
    halted_partners   text[] NOT NULL DEFAULT '{}',
    -- The newest replies to cancel requests, oldest first: 1 is rejected or in doubt, 0 any other. The rail
    -- `max_failure_ratio` reads them.
    recent_replies    text NOT NULL DEFAULT '' CHECK (recent_replies ~ '^[01]{0,200}$'),
    -- The same for rounds that an earlier run has tried. Such rounds may never succeed, and must not halt new ones.
    recent_replies_tried_before  text NOT NULL DEFAULT '' CHECK (recent_replies_tried_before ~ '^[01]{0,200}$'),
    -- Closings that the operator's database has refused in this run. The rail `max_conflicts` reads them.
    refused_closings  integer NOT NULL DEFAULT 0 CHECK (refused_closings >= 0),
    -- A pause has halted the run: it goes on by itself once the pauses of `paused_partners` have ended.
    paused            boolean NOT NULL DEFAULT false,
    paused_partners   text[] NOT NULL DEFAULT '{}',
    -- The outbox holds a notification of the run's state, or that state needs none.
    notified          boolean NOT NULL DEFAULT false,
    -- The process that ended or halted the run. A process that lost the answer to its COMMIT reads here whether it was
    -- itself: only that process logs the end.
    ended_by          text,
    -- Rounds, and stakes by currency, of a plan without rows: no run may send it, so its rounds would be written again
    -- every night. NULL: the plan's rounds stand in `cancellations`.
    unwritten_plan    jsonb CHECK (jsonb_typeof(unwritten_plan) = 'object'),
    -- When this run last brought a round to an end; NULL: not yet.
    progressed_at     timestamptz,
    -- When the run was found without progress for its policy's `stalled_after`; NULL: it makes progress.
    stalled_at        timestamptz,
    UNIQUE (policy, scheduled_for),
    CHECK ((trigger = 'schedule') = (scheduled_for IS NOT NULL)),
    CHECK (status NOT IN ('halted', 'failed') OR halt_reason IS NOT NULL),
    CHECK ((status IN ('finished', 'failed', 'cancelled')) = (finished_at IS NOT NULL)),
    CHECK (status <> 'running' OR started_at IS NOT NULL),
    CONSTRAINT runs_paused_is_halted CHECK (NOT paused OR status = 'halted')
);

CREATE INDEX runs_by_age ON retention.runs (as_of);
CREATE INDEX runs_unfinished ON retention.runs (as_of) WHERE status IN ('planned', 'running') OR paused;
CREATE INDEX runs_to_notify ON retention.runs (as_of) WHERE NOT notified;

-- One row per round and run, narrow, and updated in place. Claim and settle change no column that an index or its
-- predicate reads on the way planned, claimed, cancelled, so these updates are HOT.
-- The fill factor leaves room for a row's next versions on its own page: a batch claims all rows of a page before it
-- settles any, so a page holds each row as planned and, wider, as claimed. With less room most updates leave the page,
-- and each of those adds an entry to every index.
CREATE TABLE retention.cancellations (
    id                      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id                  uuid NOT NULL REFERENCES retention.runs,
    partner                 text NOT NULL,
    market                  text NOT NULL,
    game_id                 text,
    user_id                 text NOT NULL,
    round_id                text NOT NULL,
    opened_at               timestamptz NOT NULL,
    stake                   numeric(38, 18),
    stake_currency          text,
    bet_transaction_id      text,
    state                   text NOT NULL DEFAULT 'planned',
    error_code              text,
    description             text,
    currency                text,
    amount                  numeric(38, 18) CHECK (amount >= 0),
    transaction_id          text,
    conflict                boolean NOT NULL DEFAULT false,
    detail                  text,
    settled_at              timestamptz,
    attempts                integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    resolved_as             text,
    resolved_by             text,
    resolved_note           text,
    resolved_at             timestamptz,
    -- The state before a person resolved the row. It tells when the round became cancelled: when the row was settled,
    -- or when it was resolved.
    resolved_from           text CHECK (resolved_from IN
                                ('in_doubt', 'cancelled', 'already_cancelled', 'already_completed', 'rejected',
                                 'no_longer_open', 'held', 'not_sent')),
    -- The attempt that the row is claimed for, or that settled it. Until the lease ends, no other process acts on it.
    attempt_uuid            uuid,
    lease_until             timestamptz,
    -- Cancel and status requests since the run that works on the row planned or adopted it.
    attempts_this_run       integer NOT NULL DEFAULT 0 CHECK (attempts_this_run >= 0),
    probes_this_run         integer NOT NULL DEFAULT 0 CHECK (probes_this_run >= 0),
    -- When a retry or a probe is due. NULL in doubt: only a later run, which adopts the doubt, asks again.
    due_at                  timestamptz,
    -- The later run that settles this row's doubt.
    adopted_by_run          uuid REFERENCES retention.runs,
    -- One of our cancel requests may have cancelled the round without our knowing.
    may_have_taken_effect   boolean NOT NULL DEFAULT false,
    -- The vendor refused; one probe asks about the round before the refusal stands.
    refusal_pending_probe   boolean NOT NULL DEFAULT false,
    -- The row needs more than its first attempt: a retry, or a probe of a doubt.
    needs_follow_up         boolean NOT NULL DEFAULT false,
    -- An earlier run has tried this round, and it ended without a cancellation.
    tried_before            boolean NOT NULL DEFAULT false,
    -- When the newest probe was sent that said: in progress. A cancel that follows soon relies on it.
    in_progress_at          timestamptz,
    -- The vendor cancelled, and did not tell the whole refund.
    incomplete              boolean NOT NULL DEFAULT false,
    -- Why a person has to look at a round that was not called.
    review                  text CHECK (review IN ('winnings', 'not_asked', 'finding')),
    -- This row alone is live for its round, or has cancelled it: no second row may be.
    holds_round             boolean NOT NULL GENERATED ALWAYS AS
                                (state IN ('planned', 'claimed', 'retrying', 'in_doubt', 'cancelled',
                                           'already_cancelled')
                                 OR coalesce(resolved_as IN ('cancelled', 'already_cancelled'), false)) STORED,
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
    CONSTRAINT cancellations_follow_up CHECK (state NOT IN ('retrying', 'in_doubt') OR needs_follow_up),
    -- A probe alone may tell that a round is cancelled or completed.
    CONSTRAINT cancellations_cancelled_was_asked CHECK
        ((state NOT IN ('cancelled', 'rejected') OR attempts > 0)
         AND (state NOT IN ('already_cancelled', 'already_completed') OR attempts + probes_this_run > 0)),
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
    CONSTRAINT cancellations_resolved_from CHECK ((state = 'resolved') = (resolved_from IS NOT NULL)),
    -- Only a round that the vendor has cancelled can still be open at the operator's by mistake.
    CONSTRAINT cancellations_conflict CHECK
        (NOT conflict OR coalesce(resolved_as, state) IN ('cancelled', 'already_cancelled'))
) WITH (fillfactor = 38);

CREATE UNIQUE INDEX cancellations_one_per_round ON retention.cancellations (partner, round_id) WHERE holds_round;
CREATE INDEX cancellations_by_round ON retention.cancellations (partner, round_id);
CREATE INDEX cancellations_follow_ups ON retention.cancellations (partner, due_at) WHERE needs_follow_up;
CREATE INDEX cancellations_adopted ON retention.cancellations (adopted_by_run) WHERE adopted_by_run IS NOT NULL;
CREATE INDEX cancellations_to_review ON retention.cancellations (id) WHERE review IS NOT NULL;

-- One row per request, committed before the request leaves: each question to the vendor can be found here.
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
) WITH (fillfactor = 40);

CREATE INDEX attempts_by_cancellation ON retention.attempts (cancellation_id);

-- Exemptions. A hold matches where all its non-NULL fields match.
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

-- The kill switch. A row without a partner pauses all partners.
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

-- The fleet's rate for each partner and kind of request: cancel requests and status requests.
CREATE TABLE retention.partner_state (
    partner       text NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('cancel', 'status')),
    next_slot     timestamptz NOT NULL DEFAULT '-infinity',
    paused_until  timestamptz NOT NULL DEFAULT '-infinity',
    -- Requests per second: below the configured rate after a 429, and growing back to it. NULL: the configured rate.
    rate          double precision CHECK (rate > 0),
    rate_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (partner, kind)
) WITH (fillfactor = 20);

-- Each policy's schedule, and until when its times are processed: each of them has a run, or is recorded as missed.
CREATE TABLE retention.schedules (
    policy           text PRIMARY KEY,
    schedule         text NOT NULL,
    timezone         text NOT NULL,
    processed_until  timestamptz NOT NULL
);

-- The outbox. The body is kept as it is signed, so that each try sends the same bytes.
CREATE TABLE retention.notifications (
    notification_id  uuid PRIMARY KEY,
    event            text NOT NULL,
    run_id           uuid NOT NULL REFERENCES retention.runs,
    created_at       timestamptz NOT NULL,
    body             text NOT NULL
);

-- One row per notification and target.
CREATE TABLE retention.deliveries (
    notification_id  uuid NOT NULL REFERENCES retention.notifications,
    target           text NOT NULL,
    tries            integer NOT NULL DEFAULT 0 CHECK (tries >= 0),
    -- When the next try is due. NULL: delivered, or abandoned, which leaves an error.
    due_at           timestamptz,
    delivered_at     timestamptz,
    -- Why the newest try failed.
    last_error       text,
    PRIMARY KEY (notification_id, target),
    CHECK (delivered_at IS NULL OR due_at IS NULL),
    CHECK (delivered_at IS NOT NULL OR due_at IS NOT NULL OR last_error IS NOT NULL)
);

CREATE INDEX deliveries_due ON retention.deliveries (due_at) WHERE due_at IS NOT NULL;

-- Undoes a settlement whose `close_rounds` returned rounds that it was not asked to close: the calling statement fails.
CREATE FUNCTION retention.refuse_closing(what text) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'RT001', MESSAGE = what;
END
$$;
