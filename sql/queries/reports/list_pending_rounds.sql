-- Purpose: Lists the stale rounds of a period, and what became of each.
-- Locks: none.
-- Returns: a row per round, the oldest first.
WITH

-- include shared/pending_rounds.sql

SELECT
    u.partner, u.market, u.game_id,
    -- include shared/shown_user_id.sql
    AS user_id,
    u.round_id, u.opened_at, u.stale_at, u.at_begin, u.became AS outcome, u.ended_at, u.at_end, u.stake_currency,
    u.stake, u.run_id, u.shown_policy AS policy, u.state, u.last_planned_at, u.fate, u.last_outcome, u.in_view, u.usable
FROM pending u
ORDER BY u.stale_at, u.partner COLLATE "C", u.round_id COLLATE "C", u.opened_at
