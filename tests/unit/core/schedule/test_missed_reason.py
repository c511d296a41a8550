"""The reason that the ledger keeps for a missed time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from retention.core.schedule.missed import MissedReason, missed_reason


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
    """The stored text names the rule that missed the time and the last obstacle; it is read back as the same value."""
    reason = missed_reason(newer_is_run=newer_is_run, catch_up=catch_up, problem=problem)
    assert text == str(reason)
    assert reason == MissedReason.parse(text)


@pytest.mark.parametrize("halt_reason", [None, "", "missed", "rejected by bob", "was missed: by bob"])
def test_any_other_halt_reason_is_no_missed_time(halt_reason: str | None) -> None:
    """Only the prefix that this module writes makes a halt_reason that of a missed time."""
    assert MissedReason.parse(halt_reason) is None
