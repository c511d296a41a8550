-- Purpose: Takes back times that keep a run waiting: times that no trusted clock has written, and vendor's pauses
--     longer than the configuration allows. A slot is put one step ahead, which keeps the rate.
-- Locks: the corrected rows, partners before their rate groups; those of others are skipped.
-- Returns: a row per corrected time.
WITH

-- The configuration of the run's partners.
terms AS (
    SELECT *
    FROM unnest(%(partners)s::text[], %(rates)s::float8[], %(question_rates)s::float8[], %(max_pauses)s::float8[])
        AS t (partner, rate, question_rate, max_pause)
),

-- The distance between two slots of each.
paced AS (
    SELECT
        s.partner, s.kind, t.max_pause,
        make_interval(secs => least(86400, 1 / (%(spacing)s * coalesce(
            s.rate, CASE s.kind WHEN 'cancel' THEN t.rate ELSE t.question_rate END)))) AS step
    FROM retention.partner_state s JOIN terms t ON t.partner = s.partner
),

-- Slots, pauses and rate times that lie too far ahead.
wrong AS (
    SELECT
        s.partner, s.kind, p.step,
        CASE WHEN s.next_slot
                  > statement_timestamp() + make_interval(secs => %(limit)s::float8 + %(horizon)s::float8) + 2 * p.step
             THEN s.next_slot END AS slot,
        CASE WHEN s.paused_until > statement_timestamp() + make_interval(secs => p.max_pause + 1)
             THEN s.paused_until END AS pause,
        CASE WHEN s.rate_at > statement_timestamp() + make_interval(secs => %(limit)s) THEN s.rate_at END AS rated
    FROM retention.partner_state s JOIN paced p ON p.partner = s.partner AND p.kind = s.kind
    FOR UPDATE OF s SKIP LOCKED
),

-- The partners' times.
partners AS (
    UPDATE retention.partner_state s
    SET next_slot = CASE WHEN w.slot IS NULL THEN s.next_slot ELSE statement_timestamp() + w.step END,
        paused_until = CASE WHEN w.pause IS NULL THEN s.paused_until
                            ELSE statement_timestamp() + make_interval(secs => t.max_pause) END,
        rate_at = CASE WHEN w.rated IS NULL THEN s.rate_at ELSE statement_timestamp() END
    FROM wrong w JOIN terms t ON t.partner = w.partner
    WHERE s.partner = w.partner AND s.kind = w.kind AND num_nonnulls(w.slot, w.pause, w.rated) > 0
    RETURNING s.partner, s.kind, w.slot, s.next_slot, w.pause, s.paused_until, w.rated, s.rate_at
),

-- The slots of their rate groups. The grid begins anew.
groups AS (
    UPDATE retention.rate_groups g
    SET last_slot = statement_timestamp() + w.step, next_slot = statement_timestamp() + w.step, taken = '', step = 0
    FROM (
        SELECT g.name, g.last_slot AS was, make_interval(secs => least(86400, g.step)) AS step
        FROM retention.rate_groups g
        WHERE g.last_slot > statement_timestamp() + make_interval(
                secs => %(limit)s::float8 + %(horizon)s::float8 + 2 * least(86400, g.step))
          AND g.name IN (SELECT s.rate_group FROM retention.partner_state s JOIN terms t ON t.partner = s.partner)
          AND (SELECT count(*) FROM partners) >= 0
        FOR UPDATE OF g SKIP LOCKED
    ) w
    WHERE g.name = w.name
    RETURNING g.name, w.was, g.last_slot
),

-- The run's deadline.
deadline AS (
    UPDATE retention.runs r
    SET send_until = statement_timestamp() + make_interval(secs => %(deadline)s::float8)
    FROM (
        SELECT run_id, send_until AS was FROM retention.runs
        WHERE run_id = %(run_id)s AND status = 'running' AND %(deadline)s::float8 IS NOT NULL
          AND send_until > statement_timestamp() + make_interval(secs => %(deadline)s::float8 + %(limit)s)
        FOR UPDATE SKIP LOCKED
    ) w
    WHERE r.run_id = w.run_id
    RETURNING r.run_id, w.was, r.send_until
),

-- Retries and probes.
due AS (
    UPDATE retention.cancellations c
    SET due_at = statement_timestamp()
    FROM (
        SELECT c.id, c.due_at AS was
        FROM terms t JOIN retention.cancellations c ON c.partner = t.partner
        WHERE c.needs_follow_up AND c.due_at > statement_timestamp() + make_interval(secs => t.max_pause + %(limit)s)
        FOR UPDATE OF c SKIP LOCKED
    ) w
    WHERE c.id = w.id
    RETURNING c.partner, c.round_id, w.was, c.due_at
)

SELECT 'partner' AS row, ARRAY[partner, kind] AS key, 'next_slot' AS column, slot AS was, next_slot AS now
FROM partners WHERE slot IS NOT NULL
UNION ALL
SELECT 'partner', ARRAY[partner, kind], 'paused_until', pause, paused_until FROM partners WHERE pause IS NOT NULL
UNION ALL
SELECT 'partner', ARRAY[partner, kind], 'rate_at', rated, rate_at FROM partners WHERE rated IS NOT NULL
UNION ALL
SELECT 'rate_group', ARRAY[name], 'last_slot', was, last_slot FROM groups
UNION ALL
SELECT 'run', ARRAY[run_id::text], 'send_until', was, send_until FROM deadline
UNION ALL
SELECT 'round', ARRAY[partner, round_id], 'due_at', was, due_at FROM due
