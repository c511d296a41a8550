-- A sample operator: the table of sql/operator/open_rounds.sql, with 2,000 rounds, half of them stale.
CREATE SCHEMA casino;

CREATE TABLE casino.game_rounds (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account            text NOT NULL,
    vendor_round_id    text NOT NULL,
    vendor_user_id     text NOT NULL,
    market             text NOT NULL,
    game_id            text,
    state              text NOT NULL,
    opened_at          timestamptz NOT NULL,
    last_bet_at        timestamptz,
    currency           text,
    stake              numeric,
    bet_transaction_id text,
    closed_at          timestamptz,
    refund             numeric,
    refund_currency    text,
    refund_transaction text,
    UNIQUE (account, vendor_round_id)
);

INSERT INTO casino.game_rounds (account, vendor_round_id, vendor_user_id, market, game_id, state, opened_at, last_bet_at,
                                currency, stake, bet_transaction_id)
SELECT 'acme', (700000 + n)::text, (5000 + n % 300)::text, (ARRAY['MT', 'SE', 'GB'])[1 + n % 3], 'roulette-7', 'open',
       opened_at, opened_at + interval '4 minutes', (ARRAY['EUR', 'SEK', 'GBP'])[1 + n % 3], (1 + n % 60) * 0.5, 'tx-' || n
FROM (SELECT n, now() - make_interval(mins => n * 4) AS opened_at FROM generate_series(1, 2000) AS n) AS made;
