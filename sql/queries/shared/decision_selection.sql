-- Fragment: the decisions of people that a report selects, each once. Tables are the source where they keep a decision
-- whole; evidence has the logins, and the decisions that tables do not keep. An entry has at most a thousand rows, so a
-- decision about a run is in several entries: the one that names the run stands for all.
WITH

-- The evidence of decisions. These kinds are those of the index: no body of a batch is read.
entries AS MATERIALIZED (
    SELECT
        e.run_id, e.kind, e.written_by, (b.body ->> 'at')::timestamptz AS at, b.body ->> 'login' AS login,
        b.body -> 'facts' AS facts, b.body -> 'rows' AS leaves, b.body -> 'rows' -> 'run' IS NOT NULL AS of_run
    FROM retention.evidence e
    CROSS JOIN LATERAL (SELECT e.body::json OFFSET 0) AS b (body)
    WHERE e.kind IN ('approved', 'rejected', 'overridden', 'continued', 'called_off', 'hold_added', 'hold_released',
                     'paused', 'resumed', 'resolved', 'reclosed', 'pseudonymised')
),

-- The rows that those entries name.
named AS MATERIALIZED (
    SELECT e.kind, e.at, e.login, e.facts, s.subject, k.id
    FROM entries e
    CROSS JOIN LATERAL json_each(e.leaves) AS s (subject, hashes)
    CROSS JOIN LATERAL json_object_keys(s.hashes) AS k (id)
    WHERE e.kind IN ('hold_added', 'hold_released', 'paused', 'resumed', 'resolved', 'reclosed')
),

-- The logins of holds and pauses, by kind and id: one look-up each.
logins AS MATERIALIZED (
    SELECT jsonb_object_agg(n.kind || ' ' || n.id, n.login) AS of_subject
    FROM named n WHERE n.subject IN ('hold', 'pause')
),

-- The runs with rounds of the markets, and those with any.
market_runs AS MATERIALIZED (
    SELECT c.run_id, bool_or(c.market = ANY (%(markets)s::text[])) AS chosen
    FROM retention.cancellations c WHERE %(markets)s::text[] IS NOT NULL
    GROUP BY c.run_id
),

-- A resolution that replaced another keeps that one in its note, after a mark. `marks` is where the mark begins, and
-- `begins` where the decision's own words do.
resolutions AS (
    SELECT
        n.id, n.at, n.by, n.login, coalesce(n.as_state, m.as_state, n.told_state) AS as_state,
        CASE WHEN n.newest THEN 1 ELSE m.marks END AS marks,
        CASE WHEN n.newest THEN 1 ELSE m.marks + m.length END AS begins,
        CASE WHEN NOT n.newest THEN n.note END AS note
    FROM (
        -- Grouped, not joined: the planner knows nothing of the entries' rows, and would compare each with each.
        SELECT
            b.id, b.at, bool_or(b.newest) AS newest, max(b.by) AS by, max(b.login) AS login,
            max(b.as_state) AS as_state, max(b.told_state) AS told_state, max(b.note) AS note
        FROM (
            SELECT id, resolved_at AS at, true AS newest, resolved_by AS by, NULL AS login, resolved_as AS as_state,
                   NULL AS told_state, NULL AS note
            FROM retention.cancellations WHERE resolved_at IS NOT NULL
            UNION ALL
            SELECT
                e.id::bigint, e.at, false, e.facts ->> 'by', e.login, NULL,
                CASE WHEN json_typeof(e.facts -> 'as') = 'string' THEN e.facts ->> 'as' END, e.facts ->> 'note'
            FROM named e WHERE e.kind = 'resolved'
        ) b
        GROUP BY b.id, b.at
    ) n
    LEFT JOIN retention.cancellations c ON c.id = n.id AND NOT n.newest
    LEFT JOIN LATERAL (
        SELECT s.as_state, strpos(c.resolved_note, t.mark) AS marks, length(t.mark) AS length
        FROM unnest(%(resolutions)s::text[]) AS s (as_state)
        CROSS JOIN LATERAL (SELECT format(
            %(earlier)s, s.as_state, n.by,
            to_char(n.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), '')) AS t (mark)
        WHERE strpos(c.resolved_note, t.mark) > 0
        ORDER BY 2 LIMIT 1
    ) m ON true
),

-- The decisions. `stood_until`: the end of what was decided, or of its run; NULL for a decision of a moment. `runs`:
-- those that it touched, where they are several.
decided AS (
    SELECT
        r.as_of AS at, 'requested' AS decision, r.requested_by AS by, r.requested_login AS login, r.run_id,
        'run' AS subject, r.run_id::text AS subject_id, NULL AS partner, NULL AS market, NULL AS game_id,
        NULL AS user_id, NULL AS round_id, NULL AS plan_digest, r.reason AS words,
        jsonb_build_object('evidence', r.evidence, 'mode', r.mode,
                           'despite_winnings', r.settings -> 'named' -> 'despite_winnings') AS facts,
        o.until AS stood_until, NULL::uuid[] AS runs
    FROM retention.runs r
    CROSS JOIN LATERAL (
        SELECT coalesce(r.finished_at, CASE WHEN r.status = 'halted' THEN coalesce(r.progressed_at, r.as_of)
                                            ELSE 'infinity' END) AS until
    ) o
    WHERE r.trigger <> 'schedule' AND (r.mode = 'enforce' OR r.run_id = %(run_id)s)

    UNION ALL
    -- A run of an earlier version has no time of its approval. A rejection replaces the note of the approval.
    SELECT
        coalesce(r.approved_at, r.as_of), 'approved', r.approved_by, r.approved_login, r.run_id, 'run', r.run_id::text,
        NULL, NULL, NULL, NULL, NULL, r.plan_digest,
        CASE WHEN r.rejected_at IS NULL THEN r.decision_note ELSE (
            SELECT e.facts ->> 'note' FROM entries e
            WHERE e.kind = 'approved' AND e.run_id = r.run_id AND e.of_run LIMIT 1) END,
        NULL, coalesce(r.finished_at, 'infinity'), NULL
    FROM retention.runs r WHERE r.approved_by IS NOT NULL

    UNION ALL
    SELECT
        r.rejected_at, 'rejected', r.rejected_by, (
            SELECT e.login FROM entries e
            WHERE e.kind = 'rejected' AND e.run_id = r.run_id AND e.of_run LIMIT 1),
        r.run_id, 'run', r.run_id::text, NULL, NULL, NULL, NULL, NULL, r.plan_digest, r.decision_note, NULL, NULL, NULL
    FROM retention.runs r WHERE r.rejected_at IS NOT NULL

    UNION ALL
    SELECT
        (o.entry ->> 'at')::timestamptz, 'overridden', o.entry ->> 'by', (
            SELECT e.login FROM entries e
            WHERE e.kind = 'overridden' AND e.run_id = r.run_id AND e.at = (o.entry ->> 'at')::timestamptz
            LIMIT 1),
        r.run_id, 'run', r.run_id::text, NULL, NULL, NULL, NULL, NULL, r.plan_digest, o.entry ->> 'text',
        jsonb_build_object('rail', o.entry ->> 'rail'), coalesce(r.finished_at, 'infinity'), NULL
    FROM retention.runs r CROSS JOIN LATERAL jsonb_array_elements(r.overrides) AS o (entry)

    UNION ALL
    SELECT
        e.at, CASE e.kind WHEN 'continued' THEN 'continued' ELSE 'closed' END, e.facts ->> 'by', e.login, e.run_id,
        'run', e.run_id::text, NULL, NULL, NULL, NULL, NULL, NULL, e.facts ->> 'note', NULL, NULL, NULL
    FROM entries e
    WHERE e.kind IN ('continued', 'called_off') AND e.of_run AND e.facts ->> 'by' IS NOT NULL

    UNION ALL
    -- Without evidence, the run's own words name the person.
    SELECT
        r.finished_at, 'closed', NULL, NULL, r.run_id, 'run', r.run_id::text, NULL, NULL, NULL, NULL, NULL, NULL,
        r.halt_reason, NULL, NULL, NULL
    FROM retention.runs r
    WHERE r.status = 'cancelled' AND starts_with(r.halt_reason, %(closed)s)
      AND NOT EXISTS (SELECT FROM entries e WHERE e.kind = 'called_off' AND e.run_id = r.run_id AND e.of_run)

    UNION ALL
    SELECT
        h.created_at, 'held', h.created_by, n.login, NULL, 'hold', h.hold_id::text, h.partner, h.market, h.game_id,
        h.user_id, h.round_id, NULL, h.reason, jsonb_build_object('until', h.until),
        coalesce(least(h.until, h.released_at), 'infinity'), NULL
    FROM retention.holds h CROSS JOIN logins l
    CROSS JOIN LATERAL (SELECT l.of_subject ->> concat('hold_added ', h.hold_id) AS login) n

    UNION ALL
    SELECT
        h.released_at, 'released', h.released_by, n.login, NULL, 'hold', h.hold_id::text, h.partner, h.market,
        h.game_id, h.user_id, h.round_id, NULL, NULL, NULL, NULL, NULL
    FROM retention.holds h CROSS JOIN logins l
    CROSS JOIN LATERAL (SELECT l.of_subject ->> concat('hold_released ', h.hold_id) AS login) n
    WHERE h.released_at IS NOT NULL

    UNION ALL
    SELECT
        p.paused_at, 'paused', p.paused_by, n.login, NULL, 'pause', p.pause_id::text, p.partner, NULL, NULL, NULL, NULL,
        NULL, p.reason, NULL, coalesce(p.resumed_at, 'infinity'), NULL
    FROM retention.pauses p CROSS JOIN logins l
    CROSS JOIN LATERAL (SELECT l.of_subject ->> concat('paused ', p.pause_id) AS login) n

    UNION ALL
    SELECT
        p.resumed_at, 'resumed', p.resumed_by, n.login, NULL, 'pause', p.pause_id::text, p.partner, NULL, NULL, NULL,
        NULL, NULL, NULL, NULL, NULL, NULL
    FROM retention.pauses p CROSS JOIN logins l
    CROSS JOIN LATERAL (SELECT l.of_subject ->> concat('resumed ', p.pause_id) AS login) n
    WHERE p.resumed_at IS NOT NULL

    UNION ALL
    SELECT
        s.at, 'resolved', s.by, s.login, c.run_id, 'cancellation', s.id::text, c.partner, c.market, c.game_id,
        c.user_id, c.round_id, NULL,
        coalesce(s.note, substr(c.resolved_note, s.begins,
                                greatest(coalesce(s.next_marks, length(c.resolved_note) + 1) - s.begins, 0))),
        jsonb_build_object('from', coalesce(s.replaced, c.resolved_from), 'as', s.as_state), NULL, NULL
    FROM (
        SELECT *, lead(marks) OVER of_row AS next_marks, lead(as_state) OVER of_row AS replaced
        FROM resolutions WINDOW of_row AS (PARTITION BY id ORDER BY at DESC)
    ) s
    LEFT JOIN retention.cancellations c ON c.id = s.id

    UNION ALL
    -- A resolution as cancelled closes the round besides: that is no decision of its own.
    SELECT
        n.at, 'reclosed', n.facts ->> 'by', n.login, c.run_id, 'cancellation', n.id, c.partner, c.market, c.game_id,
        c.user_id, c.round_id, NULL, NULL, NULL, NULL, NULL
    FROM named n LEFT JOIN retention.cancellations c ON c.id = n.id::bigint
    WHERE n.kind = 'reclosed' AND n.facts ->> 'after' IS NULL

    UNION ALL
    -- A command changes rows in several transactions, and an entry of each names the count of all its rows.
    SELECT
        min(t.at), 'pseudonymised', t.by, min(t.login), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
        jsonb_build_object('rows', sum(t.count), 'before', t.before), NULL,
        (SELECT array_agg(e.run_id) FROM entries e
         WHERE e.kind = 'pseudonymised' AND e.facts ->> 'begun' = t.begun AND e.facts ->> 'by' = t.by
           AND e.run_id IS NOT NULL)
    FROM (
        SELECT DISTINCT ON (e.written_by)
            e.at, e.login, e.facts ->> 'by' AS by, e.facts ->> 'begun' AS begun, e.facts ->> 'before' AS before,
            (e.facts ->> 'count')::bigint AS count
        FROM entries e WHERE e.kind = 'pseudonymised'
    ) t
    GROUP BY t.by, t.begun, t.before
),

-- The run of a report about one.
chosen_run AS (
    SELECT r.as_of, coalesce(r.finished_at, 'infinity') AS ended FROM retention.runs r WHERE r.run_id = %(run_id)s
)

SELECT
    d.at, d.decision, d.by, d.login, r.policy, d.market, d.partner, d.run_id, d.subject, d.subject_id, d.round_id,
    -- include shared/shown_user_id.sql
    AS user_id,
    d.game_id, d.plan_digest,
    -- include shared/shown_words.sql
    AS words,
    d.facts, r.trigger
FROM decided d
CROSS JOIN LATERAL (VALUES (d.user_id)) AS u (user_id)
CROSS JOIN LATERAL (VALUES (d.words)) AS t (words)
LEFT JOIN retention.runs r ON r.run_id = d.run_id
WHERE (%(end)s::timestamptz IS NULL OR d.at < %(end)s)
  AND (%(start)s::timestamptz IS NULL OR d.at >= %(start)s)
  AND (%(policies)s::text[] IS NULL OR coalesce(r.policy = ANY (%(policies)s::text[]), true))
  AND (%(markets)s::text[] IS NULL OR CASE
        WHEN d.market IS NOT NULL THEN d.market = ANY (%(markets)s::text[])
        WHEN d.run_id IS NOT NULL THEN
            d.run_id NOT IN (SELECT m.run_id FROM market_runs m WHERE NOT m.chosen)
        ELSE true END)
  AND (%(run_id)s::uuid IS NULL OR CASE
        WHEN d.run_id IS NOT NULL THEN d.run_id = %(run_id)s
        WHEN d.runs IS NOT NULL THEN %(run_id)s = ANY (d.runs)
        ELSE EXISTS (SELECT FROM chosen_run t
                     WHERE d.at < t.ended AND coalesce(d.stood_until, d.at) >= t.as_of) END)
