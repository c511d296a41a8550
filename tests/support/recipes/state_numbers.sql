CREATE SCHEMA casino;
-- States are numbers: 0 open, 1 settled, 2 cancelled.
CREATE TABLE casino.rounds (
    id bigint PRIMARY KEY,
    player text NOT NULL,
    market text NOT NULL,
    game text,
    state smallint NOT NULL,
    opened_at timestamptz NOT NULL,
    closed_at timestamptz,
    currency text NOT NULL, stake numeric NOT NULL
);
INSERT INTO casino.rounds (id, player, market, state, opened_at, currency, stake)
SELECT i, 'u' || i, 'MT', 1, now() - interval '30 days', 'EUR', 1
FROM generate_series(1, :filler) i;
INSERT INTO casino.rounds (id, player, market, state, opened_at, currency, stake) VALUES
    (1000001, 'u1', 'MT', 0, now() - interval '5 days', 'EUR', 1.5),
    (1000002, 'u2', 'GB', 0, now() - interval '5 days', 'JPY', 100),
    (1000003, 'u3', 'GB', 0, now(), 'EUR', 2);
