-- A batch of replies, like settlements/settle_replies.sql, without a word of the operator's function and view: they refuse, or may be gone.
WITH
-- include shared/heeded_replies.sql
, left_open AS (
    SELECT NULL::bigint AS id, NULL::boolean AS refused WHERE false
),
-- include shared/settled_rows.sql
