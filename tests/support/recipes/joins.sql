CREATE SCHEMA casino;
-- A removed game, and several licences of a player.
CREATE TABLE casino.rounds (
    id bigint PRIMARY KEY,
    player text NOT NULL,
    game_id integer,
    state text NOT NULL,
    opened_at timestamptz NOT NULL,
    closed_at timestamptz,
    currency text NOT NULL, stake numeric NOT NULL
);
CREATE TABLE casino.games (id integer PRIMARY KEY, code text NOT NULL);
INSERT INTO casino.games VALUES (1, 'g1');
CREATE TABLE casino.licences (player text NOT NULL, market text NOT NULL, since timestamptz NOT NULL);
INSERT INTO casino.licences SELECT 'u' || i, 'SE', now() - interval '90 days' FROM generate_series(3, :filler) i;
INSERT INTO casino.licences VALUES
    ('u1', 'GB', now() - interval '90 days'), ('u1', 'MT', now() - interval '9 days'), ('u1', 'SE', now());
INSERT INTO casino.rounds (id, player, game_id, state, opened_at, currency, stake)
SELECT i, 'u' || i, 1, 'settled', now() - interval '30 days', 'EUR', 1
FROM generate_series(1, :filler) i;
INSERT INTO casino.rounds (id, player, game_id, state, opened_at, currency, stake) VALUES
    (1000001, 'u1', 1, 'open', now() - interval '5 days', 'EUR', 1.5),
    (1000002, 'u2', 77, 'open', now() - interval '5 days', 'JPY', 100),
    (1000003, 'u3', 1, 'open', now(), 'EUR', 2);
