-- Findings: where ledger, vendor, operator's view and wallet do not fit together, and a person has to look.

-- One row per cancellation and kind: a finding that is found again is the same one. The four texts are what each side
-- says. `resolved_at`: a person has resolved the cancellation since.
CREATE TABLE retention.findings (
    finding_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cancellation_id  bigint NOT NULL REFERENCES retention.cancellations,
    kind             text NOT NULL CHECK (kind IN
                         ('open_at_vendor', 'cancelled_at_vendor', 'completed_at_vendor', 'open_at_operator',
                          'refund_missing', 'refund_differs', 'refund_twice')),
    ledger           text,
    vendor           text,
    operator         text,
    wallet           text,
    found_at         timestamptz NOT NULL DEFAULT now(),
    resolved_at      timestamptz,
    UNIQUE (cancellation_id, kind)
);

CREATE INDEX findings_to_review ON retention.findings (cancellation_id) WHERE resolved_at IS NULL;
