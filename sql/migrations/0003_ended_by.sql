-- Which process ended a run, or recorded that it was missed. One whose COMMIT was answered by nobody finds out here whether
-- it was itself: of those that work on a run, the one that ended it says so in its log.
ALTER TABLE retention.runs ADD COLUMN ended_by text;
