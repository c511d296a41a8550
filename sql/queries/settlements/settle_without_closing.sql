-- Purpose: Settles a batch of replies like settle_replies, without the operator's function and view: they refuse it, or
--     may be gone. `close_error` says why.
-- Locks: the batch's cancellations and its run; waits 5 s for one at most.
-- Returns: the rows of settle_replies.
WITH

-- include shared/heeded_replies.sql
,

-- The function was not asked to close any round.
left_open AS (
    SELECT NULL::bigint AS id, NULL::boolean AS refused WHERE false
),

-- include shared/settled_rows.sql
