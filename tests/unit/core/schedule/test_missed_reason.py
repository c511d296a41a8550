"""The reason that the ledger keeps for a missed time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from retention.core.runs.halt_cause import HaltCause, cause_of
from retention.core.schedule.missed import missed_reason


@pytest.mark.parametrize(
    ("text", "newer_is_run", "catch_up", "problem"),
    [
        ("missed: a newer time was run instead", True, timedelta(hours=6), None),
        ("missed: a newer time was run instead; no view", True, None, "no view"),
        ("missed: no daemon could run it within catch_up (6h)", False, timedelta(hours=6), None),
        ("missed: no daemon could run it in time, and the policy has no catch_up", False, None, None),
        ("missed: no daemon could run it within catch_up (1h); no view", False, timedelta(hours=1), "no view"),
    ],
)
def test_the_reason_of_a_missed_time(
    text: str, newer_is_run: bool, catch_up: timedelta | None, problem: str | None
) -> None:
    """The reason names the rule that missed the time and the last obstacle, and reads back as that cause."""
    assert text == missed_reason(newer_is_run=newer_is_run, catch_up=catch_up, problem=problem)
    assert HaltCause.MISSED is cause_of(text)
