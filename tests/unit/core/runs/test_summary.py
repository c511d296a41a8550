"""The summary of a run, and its exit code."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from retention.core.model import ReviewWhy, State
from retention.core.runs.summary import Summary, exit_code
from retention.exit_codes import ExitCode


def summary(**changes: Any) -> Summary:
    """An enforcing run that finished with one cancelled round, with these changes."""
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
def test_of_the_states_alone_only_not_sent_needs_a_person(field: str, state: State) -> None:
    """A round that was not sent was left undone; every other state is judged by the reasons for review."""
    needs = state is State.NOT_SENT
    assert (ExitCode.REVIEW if needs else ExitCode.DONE) == exit_code(summary(**{field: {state: 1}}))


@pytest.mark.parametrize("why", ReviewWhy)
def test_each_reason_for_review_needs_a_person(why: ReviewWhy) -> None:
    """A run with a round that `review list` has ends with exit code 4, for whichever reason."""
    assert ExitCode.REVIEW == exit_code(summary(review={why: 1}))
    assert summary(review={why: 1}).is_listed
    assert not summary(review={why: 0}).is_listed


def test_each_reason_is_counted_where_it_is_shown() -> None:
    """Reasons without a count of their own, and that no state shows, are counted together."""
    found = summary(review=dict.fromkeys(ReviewWhy, 1))
    others = len(ReviewWhy) - len(("in_doubt", "rejected", "conflict", "incomplete", "discrepancy"))
    assert (1, 1, 1, others) == (found.conflicts, found.incomplete, found.discrepancies, found.to_review)


def test_a_dry_run_needs_no_review() -> None:
    """A dry run sends nothing, so its rounds need no review."""
    assert ExitCode.DONE == exit_code(
        summary(mode="dry_run", states={State.NOT_SENT: 9}, review={ReviewWhy.FINDING: 1})
    )


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
    """A signal comes first, then a halt, then an unreachable system, then a review."""
    assert code == int(exit_code(summary(**changes), **how))


def test_a_run_may_have_no_rounds() -> None:
    """A run without rounds counts zero, and needs no review."""
    nothing = Summary(UUID(int=1), "nightly", "enforce", "running", None)
    assert (0, {}, {}) == (nothing.rounds, nothing.taken_up, nothing.refunds)
    assert (0, 0, 0, None) == (nothing.conflicts, nothing.incomplete, nothing.discrepancies, nothing.finished_at)
    assert nothing.ended_by is None
    assert not nothing.needs_review


def test_the_rounds_of_a_run_are_its_own() -> None:
    """Adopted doubts of earlier runs are not among the rounds that the run planned."""
    assert 3 == summary(states={State.CANCELLED: 2, State.HELD: 1}, taken_up={State.IN_DOUBT: 9}).rounds
