CREATE SCHEMA casino;
-- Times of Malta without their zone: read as UTC, the second round is not 72 hours old.
CREATE TABLE casino.rounds (
    id bigint PRIMARY KEY,
    player text NOT NULL,
    market text NOT NULL,
    game text,
    state text NOT NULL,
    opened_at timestamp NOT NULL,
    closed_at timestamp,
    currency text NOT NULL, stake numeric NOT NULL
);
INSERT INTO casino.rounds (id, player, market, state, opened_at, currency, stake)
SELECT i, 'u' || i, 'MT', 'settled', (now() - interval '30 days') AT TIME ZONE 'Europe/Malta', 'EUR', 1
FROM generate_series(1, :filler) i;
INSERT INTO casino.rounds (id, player, market, state, opened_at, currency, stake) VALUES
    (1000001, 'u1', 'MT', 'open', (now() - interval '5 days') AT TIME ZONE 'Europe/Malta', 'EUR', 1.5),
    (1000002, 'u2', 'GB', 'open', (now() - interval '72.5 hours') AT TIME ZONE 'Europe/Malta', 'JPY', 100),
    (1000003, 'u3', 'GB', 'open', (now() - interval '71.5 hours') AT TIME ZONE 'Europe/Malta', 'EUR', 2);
