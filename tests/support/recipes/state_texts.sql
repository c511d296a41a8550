CREATE SCHEMA casino;
-- States are free text in mixed case.
CREATE TABLE casino.rounds (
    id bigint PRIMARY KEY,
    player text NOT NULL,
    market text NOT NULL,
    game text,
    state text NOT NULL,
    opened_at timestamptz NOT NULL,
    closed_at timestamptz,
    currency text NOT NULL, stake numeric NOT NULL
);
INSERT INTO casino.rounds (id, player, market, state, opened_at, currency, stake)
SELECT i, 'u' || i, 'MT', 'Settled', now() - interval '30 days', 'EUR', 1
FROM generate_series(1, :filler) i;
INSERT INTO casino.rounds (id, player, market, state, opened_at, currency, stake) VALUES
    (1000001, 'u1', 'MT', 'Open', now() - interval '5 days', 'EUR', 1.5),
    (1000002, 'u2', 'GB', 'OPEN ', now() - interval '5 days', 'JPY', 100),
    (1000003, 'u3', 'GB', 'open', now(), 'EUR', 2);
