-- The two indexes that the job wants on your own table, for the table of open_rounds.sql. Both hold open rounds alone,
-- so they stay small however many rounds there are. `retention check` warns where either is missing.
--
-- CONCURRENTLY lets play go on meanwhile; it works outside of a transaction only.
-- Their WHERE has to be the view's WHERE, and an expression the view's expression, to the letter:
--
--   ids that are numbers        (account, (id::text)) WHERE state = 'open'
--   times without a time zone   ((opened_at AT TIME ZONE 'UTC')) WHERE state = 'open'
--   states that are numbers     ... WHERE state = 0
--   a partitioned table         CONCURRENTLY is not for the table as a whole. Create each index ON ONLY the table, then
--                               CONCURRENTLY on every partition, and attach those: ALTER INDEX ... ATTACH PARTITION ...
--                               A claim looks into each partition's index; those without an open round cost little.

-- A plan reads the open rounds up to an age.
CREATE INDEX CONCURRENTLY IF NOT EXISTS game_rounds_open_by_age
    ON casino.game_rounds (opened_at) WHERE state = 'open';

-- Claims and close_rounds look single rounds up. A unique index on (account, vendor_round_id) does as well.
CREATE INDEX CONCURRENTLY IF NOT EXISTS game_rounds_open_by_round
    ON casino.game_rounds (account, vendor_round_id) WHERE state = 'open';
