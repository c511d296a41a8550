"""Each statement that writes what the evidence covers writes its evidence, too."""

from __future__ import annotations

import re

import pytest

from retention.ledger.checks.required_privileges import STATEMENTS, decides
from retention.ledger.queries import query, statements

COVERED = "runs|cancellations|attempts|holds|pauses"

WRITES = re.compile(rf"\b(?:INSERT INTO|UPDATE) retention\.(?:{COVERED})\b")

EXEMPT = {
    "claims/extend_leases": "a lease is no outcome",
    "claims/renew_leases": "a lease is no outcome",
    "claims/reserve_slots": "a lease is no outcome",
    "clocks/correct_leases": "a lease is no outcome",
    "clocks/correct_ledger_times": "of a run it changes the heartbeat alone",
    "clocks/correct_run_times": "it changes deadlines, and when retries are due",
    "notifications/enqueue_notification": "of a run it changes the mark of the outbox alone",
    "notifications/mark_notified": "of a run it changes the mark of the outbox alone",
    "plans/adopt_doubts": "a doubt is not settled",
    "plans/begin_writing_plan": "the totals of an unwritten plan serve the rails alone",
    "plans/mark_planned": "of a run it changes the heartbeat alone",
    "plans/record_plan_size": "a count of rows that leave evidence themselves",
    "plans/record_unwritten_plan": "the totals of an unwritten plan serve the rails alone",
    "reconciliation/reserve_questions": "an attempt without an outcome is not covered",
    "run_control/halt_partner": "the halt of one partner is not the run's; the attempts show it",
    "run_control/heartbeat": "of a run it changes the heartbeat and the stall alone",
    "run_control/leave_run": "of a run it changes the heartbeat alone",
}
"""Statements that change no covered column of a covered row, and why."""

WRITING = [name for name in statements() if WRITES.search(query(name))]


@pytest.mark.parametrize("name", WRITING)
def test_a_statement_that_writes_leaves_evidence(name: str) -> None:
    """A statement that writes runs, cancellations, attempts, holds or pauses adds evidence, or says why not."""
    leaves_evidence = "INSERT INTO retention.evidence " in query(name)
    assert leaves_evidence is (name not in EXEMPT)


def test_each_exemption_is_of_a_statement_that_writes() -> None:
    """An exemption that no statement needs any more is dropped."""
    assert set() == EXEMPT.keys() - set(WRITING)


def test_the_commands_that_are_a_persons_decision() -> None:
    """A checkpoint follows each of these commands; a run makes its own."""
    expected = {
        "approve",
        "hold add",
        "hold release",
        "ledger pseudonymise",
        "pause",
        "reconcile",
        "reject",
        "resume",
        "review reclose",
        "review resolve",
        "runs close",
    }
    assert expected == {command for command in STATEMENTS if decides(command)}
