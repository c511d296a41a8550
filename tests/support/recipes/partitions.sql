CREATE SCHEMA casino;
-- Partitions by time.
CREATE TABLE casino.rounds (
    id bigint NOT NULL,
    PRIMARY KEY (id, opened_at),
    player text NOT NULL,
    market text NOT NULL,
    game text,
    state text NOT NULL,
    opened_at timestamptz NOT NULL,
    closed_at timestamptz,
    currency text NOT NULL, stake numeric NOT NULL
) PARTITION BY RANGE (opened_at);
CREATE TABLE casino.rounds_old PARTITION OF casino.rounds FOR VALUES FROM (MINVALUE) TO ('2026-01-01');
CREATE TABLE casino.rounds_new PARTITION OF casino.rounds FOR VALUES FROM ('2026-01-01') TO (MAXVALUE);
INSERT INTO casino.rounds (id, player, market, state, opened_at, currency, stake)
SELECT i, 'u' || i, 'MT', 'settled', CASE WHEN i % 2 = 0 THEN timestamptz '2025-12-01' ELSE timestamptz '2026-01-05' END, 'EUR', 1
FROM generate_series(1, :filler) i;
INSERT INTO casino.rounds (id, player, market, state, opened_at, currency, stake) VALUES
    (1000001, 'u1', 'MT', 'open', '2025-12-24 12:00+00', 'EUR', 1.5),
    (1000002, 'u2', 'GB', 'open', now() - interval '5 days', 'JPY', 100),
    (1000003, 'u3', 'GB', 'open', now(), 'EUR', 2);
