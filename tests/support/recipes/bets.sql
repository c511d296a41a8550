CREATE SCHEMA casino;
-- Several bets per round, in integer minor units.
CREATE TABLE casino.rounds (
    id bigint PRIMARY KEY,
    player text NOT NULL,
    market text NOT NULL,
    game text,
    state text NOT NULL,
    opened_at timestamptz NOT NULL,
    closed_at timestamptz
);
CREATE TABLE casino.bets (
    id bigserial PRIMARY KEY,
    round_id bigint NOT NULL REFERENCES casino.rounds,
    kind text NOT NULL,
    currency text NOT NULL,
    amount_minor integer NOT NULL
);
INSERT INTO casino.rounds (id, player, market, state, opened_at)
SELECT i, 'u' || i, 'MT', 'settled', now() - interval '30 days'
FROM generate_series(1, :filler) i;
INSERT INTO casino.rounds (id, player, market, state, opened_at) VALUES
    (1000001, 'u1', 'MT', 'open', now() - interval '5 days'),
    (1000002, 'u2', 'MT', 'open', now() - interval '5 days'),
    (1000003, 'u3', 'MT', 'open', now() - interval '5 days'),
    (1000004, 'u4', 'MT', 'open', now());
INSERT INTO casino.bets (round_id, kind, currency, amount_minor) SELECT i, 'bet', 'EUR', 100 FROM generate_series(1, :filler) i;
INSERT INTO casino.bets (round_id, kind, currency, amount_minor) VALUES
    (1000001, 'bet', 'EUR', 100), (1000001, 'bet', 'EUR', 50), (1000001, 'win', 'EUR', 999),
    (1000002, 'bet', 'JPY', 100), (1000003, 'bet', 'KWD', 125);
