-- Approvals: a run of a policy that requires approval starts only for a set of rounds that another person has approved.

-- `requested_login` is the database login that made the run; runs of earlier versions have none. The program has no
-- right to write the columns of an approval: only the functions of this file write them.
ALTER TABLE retention.runs
    ADD COLUMN requested_login      text,
    -- SHA-256, in hex, of what a person approves. Written once, when the plan is frozen.
    ADD COLUMN plan_digest          text CHECK (plan_digest ~ '^[0-9a-f]{64}$'),
    ADD COLUMN approved_at          timestamptz,
    ADD COLUMN approved_login       text,
    ADD COLUMN approval_expires_at  timestamptz,
    -- When the approval let the run start. An approval is used once, and its run may then be resumed.
    ADD COLUMN approval_used_at     timestamptz,
    ADD COLUMN rejected_by          text,
    ADD COLUMN rejected_at          timestamptz,
    ADD COLUMN decision_note        text;

ALTER TABLE retention.runs ALTER COLUMN requested_login SET DEFAULT session_user;

CREATE INDEX runs_awaiting_approval ON retention.runs (approval_expires_at) WHERE status = 'awaiting_approval';
