"""The next commands for each way in which a run can end."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from retention.core.model import ReviewWhy, State
from retention.core.runs.next_steps import next_steps, pause_text
from retention.core.runs.summary import Summary

RUN = UUID(int=7)
RESUME, CLOSE = f"retention run --resume {RUN}", f"retention runs close {RUN} --by WHO --note TEXT"
REVIEW, REPORT = "retention review list", f"retention report --all --run {RUN}"
PASS = f"{RESUME} --override TEXT --by WHO"
UNSENT = "lists its rounds; what was not sent is planned again by the next run"

ENDS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "all is done": ({}, []),
    "a dry run without rounds": ({"mode": "dry_run"}, []),
    "max_rounds": ({"status": "halted", "halt_reason": "max_rounds: 9"}, [PASS, CLOSE]),
    "max_amount": ({"status": "halted", "halt_reason": "max_amount: stakes of 9 EUR"}, [PASS, CLOSE]),
    "max_amount_unknown": ({"status": "halted", "halt_reason": "max_amount_unknown: 1"}, [PASS, CLOSE]),
    "max_surge": ({"status": "halted", "halt_reason": "max_surge: 900"}, [PASS, CLOSE]),
    "max_drift": ({"status": "halted", "halt_reason": "max_drift: 9 of 10"}, [PASS, CLOSE]),
    "max_failure_ratio": (
        {"status": "halted", "halt_reason": "max_failure_ratio: 9", "review": {ReviewWhy.REJECTED: 9}},
        [RESUME, REVIEW],
    ),
    "max_conflicts": (
        {"status": "halted", "halt_reason": "max_conflicts: 9", "review": {ReviewWhy.CONFLICT: 9}},
        ["retention review reclose --by WHO", RESUME, REVIEW],
    ),
    "paused": (
        {"status": "halted", "halt_reason": "paused by ann: why", "paused": True, "pauses": [None, "b c"]},
        ["retention resume --by WHO", "retention resume --partner 'b c' --by WHO", RESUME],
    ),
    "paused, and resumed meanwhile": (
        {"status": "halted", "halt_reason": "paused by ann: why", "paused": True},
        [RESUME],
    ),
    "unauthorized": ({"status": "halted", "halt_reason": "unauthorized: acme"}, ["retention check", RESUME]),
    "wrong status address": ({"status": "halted", "halt_reason": "status_url: 404"}, [RESUME, CLOSE]),
    "close_rounds refused": ({"status": "halted", "halt_reason": "close_rounds: no"}, ["retention check", RESUME]),
    "the database refused": ({"status": "halted", "halt_reason": "database: no"}, ["retention check", RESUME]),
    "stricter": ({"status": "halted", "halt_reason": "stricter: mode was"}, [RESUME, CLOSE]),
    "unreachable": (
        {"status": "failed", "halt_reason": "unreachable: acme", "states": {State.NOT_SENT: 3}},
        ["retention run nightly"],
    ),
    "the view cannot be read": (
        {"status": "failed", "halt_reason": "retention.open_rounds cannot be read: no"},
        ["retention check", "retention run nightly"],
    ),
    "a signal": ({"status": "running", "states": {State.PLANNED: 3}}, [RESUME]),
    "a signal before it began": ({"status": "planned", "states": {State.PLANNED: 3}}, [RESUME]),
    "the deadline": ({"states": {State.NOT_SENT: 3}, "unsent": {"the deadline came first": 3}}, [REPORT]),
    "in doubt": ({"review": {ReviewWhy.IN_DOUBT: 1}}, [REVIEW, REPORT]),
    "a missing refund": ({"review": {ReviewWhy.REFUND_MISSING: 1}}, [REVIEW, REPORT]),
    "not asked": ({"states": {State.NOT_SENT: 1}, "review": {ReviewWhy.NOT_ASKED: 1}}, [REVIEW, REPORT]),
    "called off": ({"status": "cancelled", "halt_reason": "closed by ann", "states": {State.NOT_SENT: 3}}, [REPORT]),
}


def ended(**changes: Any) -> Summary:
    """The summary of an ended run."""
    values: dict[str, Any] = {"mode": "enforce", "status": "finished", "halt_reason": None}
    return Summary(RUN, "nightly", **{**values, **changes})


@pytest.mark.parametrize("end", ENDS)
def test_each_end_has_its_next_commands(end: str) -> None:
    """Each end of a run has its commands, in their order, and no others."""
    changes, commands = ENDS[end]
    assert commands == [step.command for step in next_steps(ended(**changes))]


@pytest.mark.parametrize("end", ENDS)
def test_review_list_is_named_where_it_has_a_round(end: str) -> None:
    """`review list` is named exactly where it lists a round of the run: exit code 4 never leads to an empty list."""
    summary = ended(**ENDS[end][0])
    assert summary.is_listed == (REVIEW in ENDS[end][1])
    if summary.status == "finished":
        assert summary.needs_review == bool(ENDS[end][1])


def test_a_dry_run_names_what_reads_it() -> None:
    """After a dry run come the commands that read its rounds, and none that goes on with it."""
    commands = [step.command for step in next_steps(ended(mode="dry_run", states={State.NOT_SENT: 3}))]
    compare = f"retention plan nightly --compare {RUN}"
    assert [REPORT, compare, f"retention runs show {RUN} --set"] == commands


def test_rounds_that_were_not_sent_are_planned_again() -> None:
    """The next run plans rounds again that were only not sent, and the text says so only of these."""
    (step,) = next_steps(ended(states={State.NOT_SENT: 3}))
    assert UNSENT == step.does
    assert "lists its rounds" == next_steps(ended(states={State.NOT_SENT: 3}, review={ReviewWhy.NOT_ASKED: 3}))[-1].does


def test_named_rounds_are_named_again() -> None:
    """No policy plans the rounds of a targeted run again, so the commands after it lead to `cancel`, not to `run`."""
    unreachable, interrupted = (
        [step.command for step in next_steps(ended(trigger="targeted", status="failed", halt_reason=reason))]
        for reason in ("unreachable: acme", "interrupted: no process")
    )
    assert ["retention cancel --from-file FILE --evidence REF --by WHO"] == unreachable
    assert [RESUME] == interrupted
    (step,) = next_steps(ended(trigger="targeted", states={State.NOT_SENT: 3}))
    assert "lists its rounds; what was not sent has to be named again" == step.does


def test_a_scheduled_run_resumes_by_itself() -> None:
    """After a pause `serve` resumes a scheduled run, and without `serve` a person does."""
    paused = {"status": "halted", "halt_reason": "paused", "paused": True}
    assert "serve" in next_steps(ended(trigger="schedule", **paused))[-1].does
    assert "serve" not in next_steps(ended(**paused))[-1].does


def test_a_pause_names_the_command_that_ends_it() -> None:
    """A pause's text names the command that ends it, with the partner quoted for a shell."""
    assert "paused by ann: why; `retention resume --by WHO` ends it" == pause_text("ann", "why", None)
    assert "paused by ann: why (a b); `retention resume --partner 'a b' --by WHO` ends it" == pause_text(
        "ann", "why", "a b"
    )


def test_the_end_of_an_approval_is_told_to_the_second() -> None:
    """A sentence for people names the moment at which an approval expires without a fraction of a second."""
    expires = datetime(2026, 11, 28, 3, 27, 46, 267948, tzinfo=UTC)
    waiting = ended(status="awaiting_approval", plan_digest="ab" * 32, approval_expires_at=expires)
    approve, _ = next_steps(waiting)
    assert "lets it start, until 2026-11-28 03:27:46Z; another person than the one who asked" == approve.does
