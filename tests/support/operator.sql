-- An operator's database, as small as it can be: a table of rounds, and the two objects that the contract asks for.
CREATE TABLE public.rounds (
    partner           text NOT NULL,
    market            text NOT NULL,
    game              text,
    user_id           text NOT NULL,
    round_id          text NOT NULL,
    opened_at         timestamptz NOT NULL,
    last_activity_at  timestamptz,
    currency          text,
    stake             numeric,
    bet_tx            text,
    status            smallint NOT NULL DEFAULT 0 CHECK (status IN (0, 1, 2)), -- open, completed, cancelled
    cancelled_at      timestamptz,
    refund            numeric,
    PRIMARY KEY (partner, round_id)
);

CREATE INDEX rounds_open_by_age ON public.rounds (partner, opened_at) WHERE status = 0;

CREATE VIEW retention.open_rounds AS
SELECT partner, market, game AS game_id, user_id, round_id, opened_at, last_activity_at, currency, stake,
       bet_tx AS bet_transaction_id
FROM public.rounds
WHERE status = 0;

CREATE FUNCTION retention.close_rounds(
    p_partner text[], p_round_id text[], p_cancelled_at timestamptz[], p_currency text[], p_amount numeric[],
    p_transaction_id text[]
) RETURNS TABLE (partner text, round_id text) LANGUAGE sql AS $$
    UPDATE public.rounds r
    SET status = 2, cancelled_at = c.cancelled_at, refund = c.amount
    FROM unnest(p_partner, p_round_id, p_cancelled_at, p_amount) AS c (partner, round_id, cancelled_at, amount)
    WHERE r.partner = c.partner AND r.round_id = c.round_id AND r.status = 0
    RETURNING r.partner, r.round_id
$$;
