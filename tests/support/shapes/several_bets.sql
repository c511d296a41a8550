-- Numbers as ids, states in mixed case, several bets of a round in minor units, the market in the player's row.
CREATE SCHEMA casino;
CREATE TABLE casino.players (id bigserial PRIMARY KEY, username text NOT NULL, jurisdiction char(2) NOT NULL);
CREATE TABLE casino.rounds (
    id bigserial PRIMARY KEY, player_id bigint NOT NULL REFERENCES casino.players, game_code varchar(32) NOT NULL,
    status varchar(20) NOT NULL, started_at timestamptz NOT NULL, settled_at timestamptz, updated_at timestamptz,
    lock_version integer NOT NULL DEFAULT 0);
CREATE TABLE casino.bets (
    id bigserial PRIMARY KEY, round_id bigint NOT NULL REFERENCES casino.rounds, amount_minor integer NOT NULL,
    currency char(3) NOT NULL, kind text NOT NULL, placed_at timestamptz NOT NULL);
INSERT INTO casino.players (username, jurisdiction) SELECT 'p' || i, CASE WHEN i % 2 = 0 THEN 'MT' ELSE 'GB' END FROM generate_series(1, 50) i;
INSERT INTO casino.rounds (player_id, game_code, status, started_at, settled_at)
SELECT i % 50 + 1, 'slot-' || i % 9, CASE WHEN i % 3 = 0 THEN 'Settled' WHEN i % 3 = 1 THEN 'SETTLED' ELSE 'Cancelled' END,
       now() - interval '30 days' + make_interval(secs => i), now() - interval '29 days'
FROM generate_series(1, :filler) i;
INSERT INTO casino.rounds (id, player_id, game_code, status, started_at)
VALUES (1000001, 1, 'slot-1', 'Open', now() - interval '5 days'), (1000002, 2, 'slot-1', 'OPEN', now() - interval '5 days'),
       (1000003, 3, 'slot-2', 'open', now() - interval '5 days'), (1000004, 4, 'slot-2', 'open', now()),
       (1000005, 4, 'slot-2', 'OPEN', now() - interval '6 days'), (1000006, 5, 'slot-2', 'SETTLED', now() - interval '6 days');
INSERT INTO casino.bets (round_id, amount_minor, currency, kind, placed_at)
VALUES (1000001, 150, 'EUR', 'bet', now() - interval '5 days'), (1000001, 250, 'EUR', 'bet', now() - interval '4 days'),
       (1000001, 9900, 'EUR', 'win', now() - interval '4 days'), (1000002, 500, 'JPY', 'bet', now() - interval '5 days'),
       (1000003, 1234, 'KWD', 'bet', now() - interval '5 days'), (1000003, 1, 'KWD', 'bet', now() - interval '5 days'),
       (1000005, 100, 'EUR', 'bet', now() - interval '6 days');
