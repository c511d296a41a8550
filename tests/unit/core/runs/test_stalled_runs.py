"""Texts about stalled runs."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from retention.core.runs.stalled import OtherRun, status_text

THREE = datetime(2026, 3, 5, 3, 0, tzinfo=UTC)
NAME = UUID(int=1)


@pytest.mark.parametrize(
    ("at_work", "stalled", "rounds", "stuck", "words"),
    [
        (True, False, 1, False, "1 stale round is in the hands of run {run} of policy nightly: it goes on"),
        (
            True,
            True,
            2,
            True,
            "2 stale rounds are in the hands of run {run} of policy nightly: it has made no progress",
        ),
        (
            False,
            False,
            2,
            True,
            "of policy nightly: no process works on it, and it has made no progress since 2026-03-05",
        ),
        (False, True, 0, True, "`retention run --resume {run}` goes on with it"),
    ],
)
def test_another_run_is_named_with_its_progress(
    at_work: bool, stalled: bool, rounds: int, stuck: bool, words: str
) -> None:
    """The text about rounds of another run names the run, their number, and whether it makes progress."""
    other = OtherRun(NAME, "nightly", "running", THREE, at_work, stalled, rounds)
    assert stuck == other.is_stuck
    assert words.format(run=NAME) in str(other)


@pytest.mark.parametrize(
    ("status", "at_work", "stalled", "shown"),
    [
        ("running", True, False, "running"),
        ("running", True, True, "running, stalled"),
        ("planned", True, True, "planned, stalled"),
        ("running", False, True, "interrupted"),
        ("planned", False, False, "interrupted"),
        ("halted", False, True, "halted"),
        ("finished", False, False, "finished"),
    ],
)
def test_a_status_shows_an_interrupted_run(status: str, at_work: bool, stalled: bool, shown: str) -> None:
    """A run without a process is not listed as running."""
    assert shown == status_text(status, at_work=at_work, stalled=stalled)
