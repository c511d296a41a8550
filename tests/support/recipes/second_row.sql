CREATE SCHEMA casino;
-- A round's end is a second row.
CREATE TABLE casino.events (
    event_id bigserial PRIMARY KEY,
    id bigint NOT NULL,
    player text NOT NULL,
    market text NOT NULL,
    game text,
    event text NOT NULL,
    currency text,
    stake numeric,
    happened_at timestamptz NOT NULL
);
INSERT INTO casino.events (id, player, market, event, currency, stake, happened_at)
SELECT i, 'u' || i, 'MT', k, 'EUR', 1, now() - interval '30 days'
FROM generate_series(1, :filler) i, unnest(ARRAY['opened', 'settled']) k;
INSERT INTO casino.events (id, player, market, event, currency, stake, happened_at) VALUES
    (1000001, 'u1', 'MT', 'opened', 'EUR', 1.5, now() - interval '5 days'),
    (1000002, 'u2', 'GB', 'opened', 'JPY', 100, now() - interval '5 days'),
    (1000003, 'u3', 'GB', 'opened', 'EUR', 2, now());
