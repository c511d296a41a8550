CREATE SCHEMA casino;
-- UUIDs as ids of rounds and players.
CREATE TABLE casino.rounds (
    id uuid PRIMARY KEY,
    player_id uuid NOT NULL,
    market text NOT NULL,
    game text,
    state text NOT NULL,
    opened_at timestamptz NOT NULL,
    closed_at timestamptz,
    currency text NOT NULL, stake numeric NOT NULL
);
INSERT INTO casino.rounds (id, player_id, market, state, opened_at, currency, stake)
SELECT md5('r' || i)::uuid, md5('u' || i)::uuid, 'MT', 'settled', now() - interval '30 days', 'EUR', 1
FROM generate_series(1, :filler) i;
INSERT INTO casino.rounds (id, player_id, market, state, opened_at, currency, stake) VALUES
    ('00000000-0000-0000-0000-000000000001', 'aaaaaaaa-0000-0000-0000-000000000001', 'MT', 'open', now() - interval '5 days', 'EUR', 1.5),
    ('00000000-0000-0000-0000-000000000002', 'aaaaaaaa-0000-0000-0000-000000000002', 'GB', 'open', now() - interval '5 days', 'JPY', 100),
    ('00000000-0000-0000-0000-000000000003', 'aaaaaaaa-0000-0000-0000-000000000003', 'GB', 'open', now(), 'EUR', 2);
