-- The view `retention.open_rounds`: the rounds that are open right now. A sample to adapt to your own tables.
--
-- It takes your rounds to stand in a table like this one:
--
--     CREATE TABLE casino.game_rounds (
--         id                 bigint PRIMARY KEY,
--         account            text NOT NULL,         -- the round's partner: [partners.NAME] of the configuration
--         vendor_round_id    text NOT NULL,         -- the vendor's roundId
--         vendor_user_id     text NOT NULL,         -- the userId that the vendor knows the player by
--         market             text NOT NULL,         -- the player's jurisdiction: MT, GB ...
--         game_id            text,
--         state              text NOT NULL,         -- 'open', 'completed' or 'cancelled'
--         opened_at          timestamptz NOT NULL,
--         last_bet_at        timestamptz,
--         currency           text,
--         stake              numeric,               -- in units of the currency, not in cents
--         bet_transaction_id text,
--         closed_at          timestamptz,
--         refund             numeric,
--         refund_currency    text,
--         refund_transaction text
--     );
--
-- Names and types of the view's columns are fixed, their order is not, and more columns do no harm. partner, market,
-- user_id, round_id and opened_at are never NULL. To change a type later, DROP VIEW first, and run roles.sql after it.
-- Where your columns are of another kind:
--
--   one account at the vendor   'acme'::text AS partner
--   ids that are numbers        r.id::text AS round_id, with an index on that very expression: see indexes.sql
--   states that are numbers     WHERE r.state = 0, as a literal: a join to a table of states would keep out the index
--   times without a time zone   r.opened_at AT TIME ZONE 'UTC' AS opened_at, with an index on that very expression
--   money or cents              r.stake::numeric; r.stake_cents / 100.0
--   no such thing               NULL::timestamptz AS last_activity_at
--   a partitioned table         nothing changes here; see indexes.sql
--
-- A view reads your tables with the rights of its owner, so the job's role needs none on them: leave out
-- security_invoker. Leave out security_barrier too: with it each claim would read all open rounds, not just its own.
-- Without it, whoever logs in as the job can come by these columns of closed rounds as well: show no others.

CREATE OR REPLACE VIEW retention.open_rounds AS
SELECT
    r.account            AS partner,
    r.market             AS market,
    r.game_id            AS game_id,
    r.vendor_user_id     AS user_id,
    r.vendor_round_id    AS round_id,
    r.opened_at          AS opened_at,
    r.last_bet_at        AS last_activity_at,
    r.currency           AS currency,
    r.stake              AS stake,
    r.bet_transaction_id AS bet_transaction_id
FROM casino.game_rounds r
WHERE r.state = 'open';

-- Optional: the refunds of your wallet for cancelled rounds. `retention reconcile` compares them with the ledger, and
-- `retention check` looks at the columns.
--
-- CREATE OR REPLACE VIEW retention.wallet_refunds AS
-- SELECT t.account AS partner, t.vendor_round_id AS round_id, t.currency, t.amount, t.booked_at AS refunded_at
-- FROM wallet.transactions t
-- WHERE t.kind = 'refund';
