-- Partitions, states in a table of names, stakes as money, rounds of two vendors, the player's id at the vendor beside.
CREATE SCHEMA gaming;
CREATE TABLE gaming.round_statuses (id smallint PRIMARY KEY, name text NOT NULL);
INSERT INTO gaming.round_statuses VALUES (1, 'OPEN'), (2, 'COMPLETED'), (3, 'CANCELLED');
CREATE TABLE gaming.accounts (id integer PRIMARY KEY, vendor_player_id varchar(32) NOT NULL, market text NOT NULL);
CREATE TABLE gaming.game_rounds (
    id bigint NOT NULL, account_id integer NOT NULL REFERENCES gaming.accounts, provider text NOT NULL,
    external_round_id varchar(36) NOT NULL, game_id varchar(32), status_id smallint NOT NULL REFERENCES gaming.round_statuses,
    total_bet money, currency char(3), opened_at timestamptz NOT NULL, closed_at timestamptz,
    PRIMARY KEY (id, opened_at), UNIQUE (external_round_id, opened_at)) PARTITION BY RANGE (opened_at);
CREATE TABLE gaming.game_rounds_old PARTITION OF gaming.game_rounds FOR VALUES FROM (MINVALUE) TO ('2026-01-01');
CREATE TABLE gaming.game_rounds_new PARTITION OF gaming.game_rounds FOR VALUES FROM ('2026-01-01') TO (MAXVALUE) PARTITION BY RANGE (opened_at);
CREATE TABLE gaming.game_rounds_new_1 PARTITION OF gaming.game_rounds_new DEFAULT;
INSERT INTO gaming.accounts SELECT i, 'vp-' || i, CASE WHEN i % 2 = 0 THEN 'MT' ELSE 'GB' END FROM generate_series(1, 50) i;
INSERT INTO gaming.game_rounds
SELECT i, i % 50 + 1, CASE WHEN i % 4 = 0 THEN 'OtherVendor' ELSE 'Acme' END, 'ext-' || i, 'g' || i % 5, i % 2 + 2, 2, 'EUR',
       timestamptz '2025-12-20 00:00+00' + make_interval(mins => i), now()
FROM generate_series(1, :filler) i;
INSERT INTO gaming.game_rounds
SELECT 1000000 + i, i, CASE WHEN i = 4 THEN 'OtherVendor' ELSE 'Acme' END, 'open-' || i, 'g1', 1, i + 0.25, 'EUR',
       CASE i WHEN 1 THEN timestamptz '2025-12-24 12:00+00' WHEN 5 THEN now() ELSE now() - interval '5 days' END
FROM generate_series(1, 5) i;
