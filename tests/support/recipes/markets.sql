CREATE SCHEMA casino;
-- The market stands in the player's row, which may lack.
CREATE TABLE casino.rounds (
    id bigint PRIMARY KEY,
    player_id bigint NOT NULL,
    game text,
    state text NOT NULL,
    opened_at timestamptz NOT NULL,
    closed_at timestamptz,
    currency text NOT NULL, stake numeric NOT NULL
);
CREATE TABLE casino.players (id bigint PRIMARY KEY, country text);
INSERT INTO casino.players SELECT i, 'MT' FROM generate_series(1, 50) i;
INSERT INTO casino.rounds (id, player_id, state, opened_at, currency, stake)
SELECT i, i % 50 + 1, 'settled', now() - interval '30 days', 'EUR', 1
FROM generate_series(1, :filler) i;
INSERT INTO casino.rounds (id, player_id, state, opened_at, currency, stake) VALUES
    (1000001, 1, 'open', now() - interval '5 days', 'EUR', 1.5),
    (1000002, 99, 'open', now() - interval '5 days', 'JPY', 100),
    (1000003, 1, 'open', now(), 'EUR', 2);
