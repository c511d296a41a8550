CREATE SCHEMA casino;
-- Rows are deleted softly.
CREATE TABLE casino.rounds (
    id bigint PRIMARY KEY,
    player text NOT NULL,
    market text NOT NULL,
    game text,
    state text NOT NULL,
    opened_at timestamptz NOT NULL,
    closed_at timestamptz,
    currency text NOT NULL, stake numeric NOT NULL,
    deleted_at timestamptz
);
INSERT INTO casino.rounds (id, player, market, state, opened_at, currency, stake)
SELECT i, 'u' || i, 'MT', 'settled', now() - interval '30 days', 'EUR', 1
FROM generate_series(1, :filler) i;
INSERT INTO casino.rounds (id, player, market, state, opened_at, currency, stake) VALUES
    (1000001, 'u1', 'MT', 'open', now() - interval '5 days', 'EUR', 1.5),
    (1000002, 'u2', 'GB', 'open', now() - interval '5 days', 'JPY', 100),
    (1000003, 'u3', 'GB', 'open', now(), 'EUR', 2);
INSERT INTO casino.rounds (id, player, market, state, opened_at, currency, stake, deleted_at) VALUES
    (1000004, 'u4', 'MT', 'open', now() - interval '5 days', 'EUR', 1, now());
