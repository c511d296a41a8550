-- A believable operator's database. Its shape is not the contract's: the view and the function translate.
SELECT setseed(0.42);

CREATE SCHEMA casino;

CREATE TABLE casino.game_rounds (
    id            bigint GENERATED ALWAYS AS IDENTITY (START WITH 700001) PRIMARY KEY,
    vendor        text NOT NULL DEFAULT 'acme',
    country       text NOT NULL,
    game          text NOT NULL,
    player_id     bigint NOT NULL,
    bet_id        bigint NOT NULL,
    bet           numeric(20, 2) NOT NULL,
    currency      text NOT NULL,
    status        smallint NOT NULL DEFAULT 0,  -- 0 open, 1 completed, 2 cancelled
    started_at    timestamptz NOT NULL,
    last_seen_at  timestamptz,
    closed_at     timestamptz,
    refund        numeric(38, 18)
);

-- Half of the rounds were completed as they should be; of the open ones, about two in five are older than three days.
INSERT INTO casino.game_rounds
    (country, game, player_id, bet_id, bet, currency, status, started_at, last_seen_at, closed_at)
SELECT country, game, player, 9000000 + n, bet, (ARRAY['EUR', 'SEK', 'GBP', 'DKK'])[which], status, started,
       started + interval '4 minutes', CASE WHEN status = 1 THEN started + interval '5 minutes' END
FROM (
    SELECT n, which, (ARRAY['MT', 'SE', 'GB', 'DK'])[which] AS country,
           (ARRAY['lm_1_pumpkinfarm', 'lm_2_luckydice', 'lm_7_monacoroyal'])[1 + floor(random() * 3)::int] AS game,
           5000 + floor(random() * 900)::bigint AS player,
           round((0.2 + random() * random() * 60)::numeric, 2) AS bet,
           (random() < 0.5)::int::smallint AS status,
           now() - make_interval(secs => CASE WHEN random() < 0.4 THEN 260000 + random() * 900000 ELSE random() * 250000 END)
               AS started
    FROM (SELECT n, 1 + floor(random() * 4)::int AS which FROM generate_series(1, %(rounds)s) AS n) numbered
) made;

CREATE INDEX game_rounds_open ON casino.game_rounds (started_at) WHERE status = 0;
CREATE INDEX game_rounds_by_text_id ON casino.game_rounds (vendor, (id::text));
ANALYZE casino.game_rounds;

CREATE VIEW retention.open_rounds AS
SELECT vendor AS partner, country AS market, game AS game_id, player_id::text AS user_id, id::text AS round_id,
       started_at AS opened_at, last_seen_at AS last_activity_at, currency, bet AS stake,
       bet_id::text AS bet_transaction_id
FROM casino.game_rounds WHERE status = 0;

CREATE FUNCTION retention.close_rounds(
    p_partner text[], p_round_id text[], p_cancelled_at timestamptz[], p_currency text[], p_amount numeric[],
    p_transaction_id text[])
RETURNS TABLE (partner text, round_id text)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE casino.game_rounds r SET status = 2, closed_at = c.at, refund = c.amount
    FROM unnest(p_partner, p_round_id, p_cancelled_at, p_amount) AS c (partner, round_id, at, amount)
    WHERE r.vendor = c.partner AND r.id::text = c.round_id AND r.status = 0
    RETURNING r.vendor, r.id::text
$$;
