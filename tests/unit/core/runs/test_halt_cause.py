"""The cause at the beginning of a halt reason."""

from __future__ import annotations

import pytest

from retention.core.model import VIEW
from retention.core.planning.rails import Limits, PlanTotals, check_plan
from retention.core.runs.halt_cause import HaltCause, cause_of
from retention.core.runs.stalled import INTERRUPTED


@pytest.mark.parametrize("cause", [cause for cause in HaltCause if cause is not HaltCause.VIEW])
def test_a_halt_cause_reads_back_from_its_reason(cause: HaltCause) -> None:
    """The reason that a cause writes is parsed as the same cause."""
    assert cause is cause_of(cause.reason("9 of them: too many"))


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        (str(check_plan(PlanTotals(9), Limits(5))[0]), HaltCause.MAX_ROUNDS),
        ("max_amount: stakes of 9.00 EUR, the policy allows 5.00; max_rounds: 9", HaltCause.MAX_AMOUNT),
        (f"{VIEW} cannot be read: permission denied", HaltCause.VIEW),
        (INTERRUPTED, HaltCause.INTERRUPTED),
        ("paused by ann: max_rounds: incident 4", None),
        ("closed by ann: stricter: planned under the wrong age", None),
        ("not confirmed", None),
        ("", None),
        (None, None),
    ],
)
def test_a_halt_cause_is_parsed_from_the_ledgers_text(reason: str | None, cause: HaltCause | None) -> None:
    """Rails, the view and interruptions have a cause; a person's words have none, even with a cause in them."""
    assert cause is cause_of(reason)
