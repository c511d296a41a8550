SELECT
    c.id, c.run_id::text, c.state, c.market, c.game_id, c.user_id, c.round_id, c.attempt_uuid::text AS uuid, c.attempts_this_run,
    c.probes_this_run, c.may_have_taken_effect, c.refusal_pending_probe, NULL AS detail,
    extract(epoch FROM v.first_slot)::float8 + (c.nth - 1) * v.step AS slot,
    extract(epoch FROM v.at)::float8 AS at, v.step
FROM claimed c, reserved v
UNION ALL
SELECT d.id, d.run_id::text, d.state, d.market, NULL, NULL, d.round_id, NULL, 0, 0, false, false, d.detail, NULL, NULL, NULL
FROM skipped d
UNION ALL
-- No slot within the horizon was left for these.
SELECT w.id, NULL, 'no_slot', NULL, NULL, NULL, NULL, NULL, 0, 0, false, false, NULL, NULL, NULL, NULL
FROM ready w, reserved v WHERE w.nth > v.slots
UNION ALL
-- Nothing may be claimed just now: that is not the same as nothing being left.
SELECT NULL, NULL, 'gate_closed', NULL, NULL, NULL, NULL, NULL, 0, 0, false, false, NULL, NULL, NULL, NULL
WHERE NOT EXISTS (SELECT FROM gate)
ORDER BY slot
