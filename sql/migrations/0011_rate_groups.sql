-- Partners that share one limit at the vendor. A group's slots lie on a grid, `step` seconds apart, from `begins` on. A
-- bit of `taken` stands for each of them. A partner that is slower than its group thus leaves free slots between its
-- own, and others take them.
CREATE TABLE retention.rate_groups (
    name               text PRIMARY KEY,
    begins             timestamptz NOT NULL DEFAULT '-infinity',
    step               double precision NOT NULL DEFAULT 0 CHECK (step >= 0),
    taken              varbit NOT NULL DEFAULT '',
    -- The first free slot and the last taken one, as of the last reservation.
    next_slot          timestamptz NOT NULL DEFAULT '-infinity',
    last_slot          timestamptz NOT NULL DEFAULT '-infinity',
    -- Requests per second: below the configured rate after 429s of two partners, and growing back. NULL: configured.
    rate               double precision CHECK (rate > 0),
    rate_at            timestamptz NOT NULL DEFAULT now(),
    -- The partner whose 429 came last. A second partner's 429 soon after means the shared limit.
    throttled_partner  text,
    throttled_at       timestamptz
) WITH (fillfactor = 20);

-- The group in which a partner's requests were last paced, when they last wanted a slot and at which rate of their own,
-- and until when the slots that they took make up their share of the group.
ALTER TABLE retention.partner_state
    ADD COLUMN rate_group text,
    ADD COLUMN wanted_at timestamptz NOT NULL DEFAULT '-infinity',
    ADD COLUMN wanted_rate double precision NOT NULL DEFAULT 0,
    ADD COLUMN share_until timestamptz NOT NULL DEFAULT '-infinity';
