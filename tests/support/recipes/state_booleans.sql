CREATE SCHEMA casino;
-- The state is a boolean that may be NULL.
CREATE TABLE casino.rounds (
    id bigint PRIMARY KEY,
    player text NOT NULL,
    market text NOT NULL,
    game text,
    finished boolean,
    opened_at timestamptz NOT NULL,
    closed_at timestamptz,
    currency text NOT NULL, stake numeric NOT NULL,
    ended_as text
);
INSERT INTO casino.rounds (id, player, market, finished, opened_at, currency, stake)
SELECT i, 'u' || i, 'MT', true, now() - interval '30 days', 'EUR', 1
FROM generate_series(1, :filler) i;
INSERT INTO casino.rounds (id, player, market, finished, opened_at, currency, stake) VALUES
    (1000001, 'u1', 'MT', false, now() - interval '5 days', 'EUR', 1.5),
    (1000002, 'u2', 'GB', NULL, now() - interval '5 days', 'JPY', 100),
    (1000003, 'u3', 'GB', false, now(), 'EUR', 2);
