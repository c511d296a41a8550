-- Fragment of a SELECT list: a cancelled round beside its refunds, from `selected` as `s` and its user as `u`.
s.partner, s.market,
-- include shared/shown_user_id.sql
AS user_id,
s.round_id, s.outcome, s.at, s.currency, s.amount, s.stake_currency, s.stake, s.transaction_id, s.run_id, s.policy
