"""The runs that people are notified of, and how long deliveries are retried."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.notified_runs import DOUBT, THREE, run, summary

from retention.core.model import ReviewWhy, State
from retention.core.notifications.events import EVENTS, GIVE_UP_AFTER_S, RETRY_CAP_S, event_to_send, retry_pause

if TYPE_CHECKING:
    from retention.core.notifications.events import Event, RunToNotify
    from retention.core.runs.summary import Summary

MISSED = {"status": "cancelled", "trigger": "schedule", "scheduled_for": THREE, "halt_reason": "missed: no daemon"}


@pytest.mark.parametrize(
    ("event", "run", "summary"),
    [
        ("run.halted", run(status="halted", halt_reason="max_rounds: 7"), summary()),
        ("run.failed", run(status="failed", halt_reason="unreachable: acme"), summary()),
        ("run.review", run(), summary(review={ReviewWhy.IN_DOUBT: 1})),
        ("run.review", run(), summary(review={ReviewWhy.REFUND_DIFFERS: 1})),
        ("schedule.missed", run(**MISSED), summary(states={})),
        (None, run(), summary()),
        (None, run(), summary(states={})),
        (None, run(mode="dry_run"), summary(mode="dry_run", states={State.NOT_SENT: 9})),
        (None, run(status="cancelled", halt_reason="rejected by bob"), summary()),
        (None, run(status="cancelled", halt_reason="missed: so bob says"), summary()),
        (None, run(status="cancelled"), summary()),
        ("run.stalled", run(status="running"), summary(states=DOUBT)),
        ("run.stalled", run(status="planned"), summary(states=DOUBT)),
        ("run.awaiting_approval", run(status="awaiting_approval"), summary(states={})),
        (None, run(mode="dry_run"), summary(states=DOUBT)),
    ],
)
def test_only_a_run_that_needs_a_person_is_notified(event: Event | None, run: RunToNotify, summary: Summary) -> None:
    """Halted, failed, stalled and missed runs are notified; a finished one only if its rounds need review."""
    assert event == event_to_send(run, summary)


def test_every_event_has_a_name_for_the_configuration() -> None:
    """A configuration may list exactly these events."""
    of_runs = ("run.halted", "run.failed", "run.review", "run.stalled", "run.awaiting_approval", "schedule.missed")
    expected = (*of_runs, "report.made", "report.failed")
    assert expected == EVENTS


def test_an_undelivered_notification_is_given_up_after_three_days() -> None:
    """A receiver that is down over a weekend still gets its notifications."""
    assert timedelta(days=3).total_seconds() == GIVE_UP_AFTER_S


@pytest.mark.parametrize(("longest", "tries"), [(5.0, 1), (10.0, 2), (2560.0, 10), (3600.0, 11), (3600.0, 1_000_000)])
def test_the_retry_pause_doubles_up_to_an_hour(longest: float, tries: int) -> None:
    """The longest pause is five seconds at first and doubles; the shortest is half of it."""
    assert (longest / 2, longest) == (retry_pause(tries, 0.0), retry_pause(tries, 1.0))


@given(st.integers(0, 10_000), st.floats(0, 1))
@settings(deadline=None)
def test_a_retry_pause_lasts_over_a_second_and_up_to_an_hour(tries: int, fraction: float) -> None:
    """No random number makes a retry immediate, or later than an hour."""
    assert 1 < retry_pause(tries, fraction) <= RETRY_CAP_S
