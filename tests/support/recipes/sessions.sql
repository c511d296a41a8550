CREATE SCHEMA casino;
-- Rounds are numbered within a session.
CREATE TABLE casino.plays (
    session_id bigint NOT NULL,
    round_no integer NOT NULL,
    PRIMARY KEY (session_id, round_no),
    player text NOT NULL,
    market text NOT NULL,
    game text,
    state text NOT NULL,
    opened_at timestamptz NOT NULL,
    closed_at timestamptz,
    currency text NOT NULL, stake numeric NOT NULL
);
INSERT INTO casino.plays (session_id, round_no, player, market, state, opened_at, currency, stake)
SELECT i, 1, 'u' || i, 'MT', 'settled', now() - interval '30 days', 'EUR', 1
FROM generate_series(1, :filler) i;
INSERT INTO casino.plays (session_id, round_no, player, market, state, opened_at, currency, stake) VALUES
    (1000001, 1, 'u1', 'MT', 'open', now() - interval '5 days', 'EUR', 1.5),
    (1000002, 1, 'u2', 'GB', 'open', now() - interval '5 days', 'JPY', 100),
    (1000002, 2, 'u2', 'GB', 'open', now(), 'EUR', 2);
