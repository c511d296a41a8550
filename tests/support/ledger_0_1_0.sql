-- A ledger of version 0.1.0 with rows in every state: runs, cancellations, attempts, holds, pauses, schedules and
-- notifications as that version left them. `:settings` stands for the policy of its runs.
INSERT INTO retention.runs
    (run_id, policy, trigger, mode, scheduled_for, as_of, requested_by, settings, status, halt_reason, started_at,
     finished_at, unwritten_plan)
SELECT
    v.run_id::uuid, 'nightly', v.trigger, v.mode, v.scheduled_for, v.as_of, 'ann', :settings, v.status, v.halt_reason,
    CASE WHEN v.status IN ('running', 'finished') THEN v.as_of END,
    CASE WHEN v.status IN ('finished', 'failed', 'cancelled') THEN v.as_of + interval '1 minute' END, v.unwritten
FROM (VALUES
    ('0a000000-0000-4000-8000-000000000001', 'on_demand', 'enforce', NULL, now() - interval '9 days', 'finished', NULL, NULL),
    ('0a000000-0000-4000-8000-000000000002', 'on_demand', 'enforce', NULL, now() - interval '8 days', 'halted',
     'max_rounds: 9 rounds are planned, 5 are allowed', '{"rounds": 9, "stakes": {}}'::jsonb),
    ('0a000000-0000-4000-8000-000000000003', 'on_demand', 'dry_run', NULL, now() - interval '7 days', 'finished', NULL, NULL),
    ('0a000000-0000-4000-8000-000000000004', 'schedule', 'enforce', now() - interval '6 days', now() - interval '6 days',
     'cancelled', 'missed', NULL),
    ('0a000000-0000-4000-8000-000000000005', 'on_demand', 'enforce', NULL, now() - interval '5 days', 'failed', 'view', NULL),
    ('0a000000-0000-4000-8000-000000000006', 'on_demand', 'enforce', NULL, now() - interval '10 minutes', 'running', NULL, NULL)
) AS v (run_id, trigger, mode, scheduled_for, as_of, status, halt_reason, unwritten);

-- The rounds that are live: open in the operator's table, too, as `old-planned` and so on.
INSERT INTO public.rounds (partner, market, game, user_id, round_id, opened_at, currency, stake, bet_tx)
SELECT 'acme', 'MT', 'game', 'user-old-' || state, 'old-' || state, now() - interval '5 days', 'EUR', 1.50,
    'bet-old-' || state
FROM unnest(ARRAY['planned', 'claimed', 'retrying', 'in_doubt']) AS state;

INSERT INTO retention.cancellations
    (run_id, partner, market, game_id, user_id, round_id, opened_at, stake, stake_currency, bet_transaction_id, state,
     attempts, attempts_this_run, settled_at, currency, amount, transaction_id, error_code, attempt_uuid, lease_until,
     due_at, needs_follow_up, may_have_taken_effect, resolved_as, resolved_by, resolved_note, resolved_at, resolved_from)
SELECT
    (CASE WHEN live THEN '0a000000-0000-4000-8000-000000000006' ELSE '0a000000-0000-4000-8000-000000000001' END)::uuid,
    'acme', 'MT', 'game', 'user-old-' || state, 'old-' || state,
    coalesce((SELECT r.opened_at FROM public.rounds r WHERE r.round_id = 'old-' || state), now() - interval '20 days'),
    1.50, 'EUR', 'bet-old-' || state, state, asked::integer, CASE WHEN live THEN asked::integer ELSE 0 END,
    CASE WHEN NOT live THEN now() - interval '9 days' END,
    CASE WHEN cancelled THEN 'EUR' END, CASE WHEN cancelled THEN 1.50 END,
    CASE WHEN cancelled THEN 'bet-old-' || state END, CASE WHEN asked AND NOT live THEN '0' END,
    CASE WHEN asked THEN gen_random_uuid() END, CASE WHEN state = 'claimed' THEN now() - interval '1 hour' END,
    CASE WHEN state IN ('retrying', 'in_doubt') THEN now() - interval '1 hour' END, state IN ('retrying', 'in_doubt'),
    state = 'in_doubt',
    CASE WHEN state = 'resolved' THEN 'cancelled' END, CASE WHEN state = 'resolved' THEN 'bob' END,
    CASE WHEN state = 'resolved' THEN 'asked the vendor' END, CASE WHEN state = 'resolved' THEN now() - interval '8 days' END,
    CASE WHEN state = 'resolved' THEN 'in_doubt' END
FROM unnest(ARRAY['planned', 'claimed', 'retrying', 'in_doubt', 'cancelled', 'already_cancelled', 'already_completed',
                  'rejected', 'no_longer_open', 'held', 'not_sent', 'resolved']) AS state
CROSS JOIN LATERAL (SELECT
    state IN ('planned', 'claimed', 'retrying', 'in_doubt') AS live,
    state NOT IN ('planned', 'no_longer_open', 'held', 'not_sent') AS asked,
    state IN ('cancelled', 'already_cancelled') AS cancelled) AS kind;

INSERT INTO retention.attempts (uuid, cancellation_id, run_id, kind, replica, claimed_at, sent_at, outcome)
SELECT
    c.attempt_uuid, c.id, c.run_id, 'cancel', 'host-1', c.opened_at,
    CASE WHEN c.state <> 'claimed' THEN c.opened_at END,
    CASE c.state WHEN 'claimed' THEN NULL WHEN 'retrying' THEN 'retry' WHEN 'resolved' THEN 'in_doubt' ELSE c.state END
FROM retention.cancellations c WHERE c.attempt_uuid IS NOT NULL;

INSERT INTO retention.holds (user_id, reason, created_by, until, released_at, released_by)
VALUES ('user-1', 'complaint 1', 'ann', NULL, NULL, NULL), ('user-2', 'complaint 2', 'ann', now(), NULL, NULL),
       ('user-3', 'complaint 3', 'ann', NULL, now(), 'bob');

INSERT INTO retention.pauses (partner, reason, paused_by, resumed_by, resumed_at)
VALUES (NULL, 'incident 1', 'ann', 'bob', now()), ('elsewhere', 'incident 2', 'ann', NULL, NULL);

INSERT INTO retention.partner_state (partner, kind) VALUES ('acme', 'cancel'), ('acme', 'status');

INSERT INTO retention.schedules VALUES ('nightly', '0 3 * * *', 'Europe/Malta', now());

INSERT INTO retention.notifications (notification_id, event, run_id, created_at, body)
SELECT ('0b000000-0000-4000-8000-00000000000' || i)::uuid, 'run.halted', '0a000000-0000-4000-8000-000000000002', now(), '{}'
FROM generate_series(1, 3) i;

INSERT INTO retention.deliveries (notification_id, target, tries, due_at, delivered_at, last_error)
VALUES ('0b000000-0000-4000-8000-000000000001', 'ops', 1, NULL, now(), NULL),
       ('0b000000-0000-4000-8000-000000000002', 'ops', 1, now() + interval '1 day', NULL, 'HTTP status 500'),
       ('0b000000-0000-4000-8000-000000000003', 'ops', 9, NULL, NULL, 'HTTP status 500');
