-- A batch of replies, like settle.sql, without a word of the operator's function and view: they refuse, or may be gone.
WITH
-- include shared/settle_replies.sql
, left_open AS (
    SELECT NULL::bigint AS id, NULL::boolean AS refused WHERE false
),
-- include shared/settle_rows.sql
