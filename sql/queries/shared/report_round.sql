-- Fragment of a SELECT list: a round of a report, from `selected` as `s` and its user as `u`.
s.partner, s.market, s.game_id,
-- include shared/shown_user_id.sql
AS user_id,
s.round_id, s.opened_at, s.outcome, s.at, s.currency, s.amount, s.stake_currency, s.stake, s.transaction_id,
s.run_id, s.policy, s.trigger, s.requested_by,
(SELECT
    -- include shared/shown_words.sql
FROM (VALUES (s.reason)) AS t (words)) AS reason,
(SELECT
    -- include shared/shown_words.sql
FROM (VALUES (s.evidence)) AS t (words)) AS evidence,
s.approved_by, s.state, s.conflict, s.incomplete,
(SELECT
    -- include shared/shown_words.sql
FROM (VALUES (s.detail)) AS t (words)) AS detail,
s.bet_transaction_id, s.last_activity_at, s.winnings, s.plan_digest,
-- include shared/cancel_uuid.sql
AS cancel_uuid
