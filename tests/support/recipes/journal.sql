CREATE SCHEMA casino;
-- Bets and ends of rounds in a journal, and no table of rounds.
CREATE TABLE casino.transactions (
    id bigserial PRIMARY KEY,
    round_id text NOT NULL,
    player text NOT NULL,
    market text NOT NULL,
    kind text NOT NULL,
    currency text,
    amount numeric,
    booked_at timestamptz NOT NULL
);
INSERT INTO casino.transactions (round_id, player, market, kind, currency, amount, booked_at)
SELECT 'r' || i, 'u' || i, 'MT', k, 'EUR', 1, now() - interval '30 days'
FROM generate_series(1, :filler) i, unnest(ARRAY['bet', 'end']) k;
INSERT INTO casino.transactions (round_id, player, market, kind, currency, amount, booked_at) VALUES
    ('1000001', 'u1', 'MT', 'bet', 'EUR', 1, now() - interval '5 days'),
    ('1000001', 'u1', 'MT', 'bet', 'EUR', 0.5, now() - interval '5 days'),
    ('1000001', 'u1', 'MT', 'win', 'EUR', 9, now() - interval '5 days'),
    ('1000002', 'u2', 'GB', 'bet', 'JPY', 100, now() - interval '5 days'),
    ('1000003', 'u3', 'GB', 'bet', 'EUR', 2, now());
