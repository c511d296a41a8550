"""What a run came to, and its exit code."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from retention.core.model import State
from retention.core.runs.summary import Summary, exit_code
from retention.exit_codes import ExitCode


def summary(**changes: Any) -> Summary:
    """An enforcing run that finished with one round cancelled, but for the changes."""
    values: dict[str, Any] = {
        "run_id": UUID(int=1),
        "policy": "nightly",
        "mode": "enforce",
        "status": "finished",
        "halt_reason": None,
        "states": {State.CANCELLED: 1},
    }
    return Summary(**{**values, **changes})


QUIET = (State.CANCELLED, State.ALREADY_CANCELLED, State.ALREADY_COMPLETED, State.NO_LONGER_OPEN, State.HELD)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("field", ["states", "taken_up"])
def test_what_needs_a_person(field: str, state: State) -> None:
    """A round that is in doubt, was rejected or was not sent needs a person, whichever run it was planned by."""
    needs = state in {State.IN_DOUBT, State.REJECTED, State.NOT_SENT}
    assert (ExitCode.REVIEW if needs else ExitCode.DONE) == exit_code(summary(**{field: {state: 1}}))


@pytest.mark.parametrize("field", ["conflicts", "incomplete", "discrepancies"])
def test_what_differs_needs_a_person(field: str) -> None:
    """A conflict, a refund that is not known whole, and one that differs are for people to look at."""
    assert ExitCode.REVIEW == exit_code(summary(**{field: 1}))


def test_a_dry_run_needs_nobody() -> None:
    """What a dry run did not send was not meant to be sent."""
    assert ExitCode.DONE == exit_code(summary(mode="dry_run", states={State.NOT_SENT: 9}, discrepancies=1))


@pytest.mark.parametrize(
    ("code", "changes", "how"),
    [
        (0, {}, {}),
        (0, {"states": {}}, {}),
        (0, {"states": {State.REJECTED: 0}, "taken_up": {State.IN_DOUBT: 0}}, {}),
        (3, {"status": "halted", "halt_reason": "max_rounds: 2"}, {}),
        (3, {"status": "halted", "states": {State.IN_DOUBT: 1}}, {}),
        (3, {"status": "halted"}, {"unreachable": True}),
        (4, {"states": {State.NOT_SENT: 1}}, {}),
        (5, {}, {"unreachable": True}),
        (5, {"states": {State.NOT_SENT: 1}}, {"unreachable": True}),
        (5, {"status": "failed", "states": {State.IN_DOUBT: 1}}, {}),
        (130, {"status": "running"}, {"stopped_by": 130}),
        (143, {"status": "halted"}, {"stopped_by": 143, "unreachable": True}),
    ],
)
def test_the_exit_code_is_the_contracts(code: int, changes: dict[str, Any], how: dict[str, Any]) -> None:
    """A signal comes first, then what halted the run, then what could not be reached, then what is left to people."""
    assert code == int(exit_code(summary(**changes), **how))


def test_a_run_of_nothing_is_one() -> None:
    """What a run has none of is counted as none, and needs nobody."""
    nothing = Summary(UUID(int=1), "nightly", "enforce", "running", None)
    assert (0, {}, {}) == (nothing.rounds, nothing.taken_up, nothing.refunds)
    assert (0, 0, 0, None) == (nothing.conflicts, nothing.incomplete, nothing.discrepancies, nothing.finished_at)
    assert nothing.ended_by is None
    assert not nothing.needs_review


def test_the_rounds_of_a_run_are_its_own() -> None:
    """Doubts of earlier runs are taken up, and are none of the rounds that this run planned."""
    assert 3 == summary(states={State.CANCELLED: 2, State.HELD: 1}, taken_up={State.IN_DOUBT: 9}).rounds
