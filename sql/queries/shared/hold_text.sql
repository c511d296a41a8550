-- Fragment: the text of the hold `h` that evidence hashes, with the ledger's key `k`. A user's id is in it as a
-- pseudonym.
to_json(ARRAY[
    'hold', h.hold_id::text, h.partner, h.market, h.game_id, (
        SELECT
            -- include shared/pseudonym.sql
        FROM (VALUES (h.user_id)) AS u (user_id) WHERE u.user_id IS NOT NULL),
    h.round_id, h.reason, h.created_by, to_json(h.created_at AT TIME ZONE 'UTC') #>> '{}',
    to_json(h.until AT TIME ZONE 'UTC') #>> '{}',
    to_json(h.released_at AT TIME ZONE 'UTC') #>> '{}', h.released_by
])::text
