-- Room for a row's next versions on its own page. A batch claims all rows of a page before any is settled, so a page has
-- to hold each row as it was planned and, somewhat wider, as it is claimed; what is settled takes the place of what was
-- planned. With less room most of those updates leave the page, and each leaves an entry in every index behind.
ALTER TABLE retention.cancellations SET (fillfactor = 38);
ALTER TABLE retention.attempts SET (fillfactor = 40);
