-- Purpose: Settles as not sent the rounds that abandoned runs planned and never sent, and that this run plans again. A
--     plan of more than `max_rounds` supersedes nothing.
-- Locks: the superseded rows.
-- Returns: how many they are.
WITH

-- include shared/chosen_rounds.sql
,

-- include shared/superseded_rounds.sql
