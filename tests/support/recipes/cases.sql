CREATE SCHEMA casino;
-- The market follows from the brand; one brand is new.
CREATE TABLE casino.rounds (
    id bigint PRIMARY KEY,
    player text NOT NULL,
    brand text NOT NULL,
    game text,
    state text NOT NULL,
    opened_at timestamptz NOT NULL,
    closed_at timestamptz,
    currency text NOT NULL, stake numeric NOT NULL
);
INSERT INTO casino.rounds (id, player, brand, state, opened_at, currency, stake)
SELECT i, 'u' || i, 'sunny', 'settled', now() - interval '30 days', 'EUR', 1
FROM generate_series(1, :filler) i;
INSERT INTO casino.rounds (id, player, brand, state, opened_at, currency, stake) VALUES
    (1000001, 'u1', 'sunny', 'open', now() - interval '5 days', 'EUR', 1.5),
    (1000002, 'u2', 'brandnew', 'open', now() - interval '5 days', 'JPY', 100),
    (1000003, 'u3', 'royal', 'open', now(), 'EUR', 2);
