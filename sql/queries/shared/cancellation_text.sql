-- Fragment: the text of the cancellation `c` that evidence hashes, with the ledger's key `k`. A JSON array of texts
-- keeps its fields apart. The user's id is in it as a pseudonym, so that it can be erased from the row.
to_json(ARRAY[
    'cancellation', c.id::text, c.run_id::text, c.partner, c.market, c.game_id, (
        SELECT
            -- include shared/pseudonym.sql
        FROM (VALUES (c.user_id)) AS u (user_id)),
    c.round_id, to_json(c.opened_at AT TIME ZONE 'UTC') #>> '{}', c.stake::text,
    c.stake_currency, c.bet_transaction_id, c.state, c.error_code, c.description, c.currency, c.amount::text,
    c.transaction_id, c.conflict::text, c.detail,
    to_json(c.settled_at AT TIME ZONE 'UTC') #>> '{}', c.attempts::text,
    c.resolved_as, c.resolved_by, c.resolved_note,
    to_json(c.resolved_at AT TIME ZONE 'UTC') #>> '{}',
    to_json(c.last_activity_at AT TIME ZONE 'UTC') #>> '{}', c.winnings::text
])::text
