-- An operator whose objects can be struck: a function that refuses or is held up, and a view that has rounds twice.
CREATE TABLE public.closing_trouble (sqlstate text NOT NULL, every integer NOT NULL);
CREATE TABLE public.twins (LIKE public.rounds);
GRANT SELECT ON public.closing_trouble, public.twins TO retention_job;

ALTER FUNCTION retention.close_rounds RENAME TO close_rounds_well;
CREATE FUNCTION retention.close_rounds(
    p_partner text[], p_round_id text[], p_cancelled_at timestamptz[], p_currency text[], p_amount numeric[],
    p_transaction_id text[]
) RETURNS TABLE (partner text, round_id text) LANGUAGE plpgsql AS $$
DECLARE
    trouble text;
BEGIN
    SELECT t.sqlstate INTO trouble FROM public.closing_trouble t
    WHERE EXISTS (SELECT FROM unnest(p_round_id) r WHERE abs(hashtext(r)::bigint) % t.every = 0) LIMIT 1;
    IF trouble IS NOT NULL THEN
        RAISE 'the operator''s ledger is struck' USING ERRCODE = trouble;
    END IF;
    RETURN QUERY SELECT * FROM retention.close_rounds_well($1, $2, $3, $4, $5, $6);
END $$;
GRANT EXECUTE ON FUNCTION retention.close_rounds(text[], text[], timestamptz[], text[], numeric[], text[]) TO retention_job;

CREATE OR REPLACE VIEW retention.open_rounds AS
SELECT partner, market, game AS game_id, user_id, round_id, opened_at, last_activity_at, currency, stake,
       bet_tx AS bet_transaction_id
FROM public.rounds
WHERE status = 0
UNION ALL
SELECT partner, market, game, user_id, round_id, opened_at, last_activity_at, currency, stake, bet_tx FROM public.twins;
