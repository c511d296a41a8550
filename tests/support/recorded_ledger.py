"""A small ledger with every covered column filled in some row, its evidence, and three checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from support.evidence_writer import place_entries, record_rows

if TYPE_CHECKING:
    import psycopg

NIGHTLY = "11111111-1111-4111-8111-111111111111"
"""A scheduled run that was approved, and is finished."""

HALTED = "22222222-2222-4222-8222-222222222222"
"""A run on demand that a rail has halted, with a round under way."""

REJECTED = "33333333-3333-4333-8333-333333333333"
"""A run that a person rejected."""

_RUNS = f"""
INSERT INTO retention.runs
    (run_id, policy, trigger, mode, scheduled_for, as_of, requested_by, requested_login, reason, evidence, settings,
     overrides, status, halt_reason, started_at, finished_at, plan_digest, approved_by, approved_at, approved_login,
     approval_expires_at, approval_used_at, rejected_by, rejected_at, decision_note)
VALUES
    ('{NIGHTLY}', 'nightly', 'schedule', 'enforce', now(), now(), 'ann', 'ann_login', 'quarterly', 'TICKET-1',
     '{{"max_rounds": 10}}', '[{{"by": "ann", "text": "checked"}}]', 'finished', NULL, now(), now(), repeat('ab', 32),
     'bob', now(), 'bob_login', now() + interval '1 day', now(), NULL, NULL, 'looked at'),
    ('{HALTED}', 'nightly', 'on_demand', 'enforce', NULL, now(), 'ann', 'ann_login', NULL, NULL, '{{}}', '[]', 'halted',
     'too many', now(), NULL, repeat('cd', 32), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    ('{REJECTED}', 'nightly', 'on_demand', 'enforce', NULL, now(), 'ann', 'ann_login', NULL, NULL, '{{}}', '[]',
     'cancelled', NULL, NULL, now(), repeat('ef', 32), NULL, NULL, NULL, NULL, NULL, 'eve', now(), 'not these');
"""

_CANCELLATIONS = f"""
INSERT INTO retention.cancellations
    (run_id, partner, market, game_id, user_id, round_id, opened_at, stake, stake_currency, bet_transaction_id, state,
     error_code, description, currency, amount, transaction_id, conflict, detail, settled_at, attempts, attempt_uuid,
     lease_until)
VALUES
    ('{NIGHTLY}', 'acme', 'MT', 'g1', 'U-1', 'R-1', now() - interval '5 days', 1.5, 'EUR', 'bet-1', 'cancelled', '0', 'ok',
     'EUR', 1.5, 'T-1', true, 'not closed', now(), 1, NULL, NULL),
    ('{NIGHTLY}', 'acme', 'MT', NULL, 'U-2', 'R-2', now() - interval '5 days', NULL, NULL, NULL, 'rejected', '6',
     'no such round', NULL, NULL, NULL, false, NULL, now(), 1, NULL, NULL),
    ('{NIGHTLY}', 'acme', 'SE', 'g2', 'U-1', 'R-3', now() - interval '5 days', 2, 'SEK', 'bet-3', 'cancelled', '0', NULL,
     'SEK', 2, 'T-3', false, NULL, now(), 1, NULL, NULL),
    ('{HALTED}', 'acme', 'MT', 'g1', 'U-4', 'R-4', now() - interval '5 days', 3, 'EUR', 'bet-4', 'held', NULL, NULL, NULL,
     NULL, NULL, false, 'hold 1', now(), 0, NULL, NULL),
    ('{HALTED}', 'acme', 'MT', 'g1', 'U-5', 'R-5', now() - interval '5 days', 3, 'EUR', 'bet-5', 'planned', NULL, NULL,
     NULL, NULL, NULL, false, NULL, NULL, 0, NULL, NULL),
    ('{HALTED}', 'acme', 'MT', 'g1', 'U-6', 'R-6', now() - interval '5 days', 3, 'EUR', 'bet-6', 'claimed', NULL, NULL,
     NULL, NULL, NULL, false, NULL, NULL, 1, '66666666-6666-4666-8666-666666666666', now());
INSERT INTO retention.attempts
    (uuid, cancellation_id, run_id, kind, replica, claimed_at, sent_at, replied_at, http_status, error_code, outcome, detail)
SELECT gen_random_uuid(), id, run_id, kind, 'host-1', now(), now(), now(), 200, '0', outcome, 'as told'
FROM retention.cancellations,
     (VALUES ('R-1', 'status', 'in_progress'), ('R-1', 'cancel', 'cancelled'), ('R-2', 'cancel', 'rejected'),
             ('R-3', 'cancel', 'in_doubt'), ('R-3', 'status', 'cancelled')) AS a (round, kind, outcome)
WHERE round_id = a.round;
INSERT INTO retention.attempts (uuid, cancellation_id, run_id, kind, replica, claimed_at)
SELECT attempt_uuid, id, run_id, 'cancel', 'host-1', now() - interval '2 hours'
FROM retention.cancellations WHERE state = 'claimed';
"""

_PEOPLE = """
INSERT INTO retention.holds (partner, market, game_id, user_id, round_id, reason, created_by, created_at, until, released_at,
                             released_by)
VALUES ('acme', 'MT', 'g1', 'U-4', 'R-4', 'complaint', 'ann', now(), now() + interval '1 day', now(), 'bob'),
       (NULL, NULL, NULL, 'U-9', NULL, 'complaint', 'ann', now(), NULL, NULL, NULL);
INSERT INTO retention.pauses (partner, reason, paused_by, paused_at, resumed_by, resumed_at)
VALUES ('acme', 'vendor down', 'ann', now(), 'bob', now()), (NULL, 'fire', 'ann', now(), NULL, NULL);
"""

_RESOLVED = """
UPDATE retention.cancellations
SET state = 'resolved', resolved_as = 'already_completed', resolved_by = 'ann', resolved_note = 'asked the vendor',
    resolved_at = now(), resolved_from = 'rejected'
WHERE round_id = 'R-2';
"""


_SMALL_IDS = b"""
SELECT setval('retention.cancellations_id_seq', 1, false), setval('retention.evidence_entry_id_seq', 1, false)
"""
"""Ids as in a ledger from before its months: the falsifications name them."""


def fill_ledger(connection: psycopg.Connection[Any]) -> list[tuple[int, str]]:
    """Fill an empty ledger; returns the size and root of each checkpoint, oldest first."""
    anchors = []
    connection.execute(_SMALL_IDS)
    connection.execute(_RUNS.encode())
    record_rows(connection, "planned", batch=1)
    anchors.append(place_entries(connection))
    connection.execute((_CANCELLATIONS + _PEOPLE).encode())
    record_rows(connection, "settled", batch=2)
    anchors.append(place_entries(connection))
    connection.execute(_RESOLVED.encode())
    record_rows(connection, "resolved")
    anchors.append(place_entries(connection))
    connection.commit()
    return anchors
