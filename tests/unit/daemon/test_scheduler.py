"""The scheduler: the due runs, from the state of the schedules alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from retention.daemon.scheduler import Scheduler, ScheduleState, policy_scheduler
from retention.settings.policy import Policy

DAY = timedelta(days=1)
THREE = datetime(2026, 3, 4, 3, tzinfo=UTC)
"""A time of the schedule, which comes once a day."""


class MovedClock:
    """A monotonic clock that the test moves, in seconds."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def nightly(**changes: Any) -> Policy:
    """A policy that is due at 3:00 UTC each day, with these changes."""
    values = {"name": "nightly", "open_longer_than": "72h", "max_rounds": 5, "schedule": "0 3 * * *", "timezone": "UTC"}
    return Policy.model_validate({**values, **changes})


def followed(
    *policies: Policy, processed_until: datetime, now: datetime, clock: MovedClock | None = None
) -> tuple[Scheduler[Policy], ScheduleState[Policy]]:
    """A scheduler whose ledger says `processed_until`, read at `now`; and the state of its first schedule."""
    scheduler = policy_scheduler(clock or MovedClock())
    scheduler.configure(policies)
    states = scheduler.unregistered
    for state in states:
        state.register(processed_until, now)
    return scheduler, states[0]


def test_no_run_is_due_before_the_ledger_is_read() -> None:
    """A schedule whose row was not read yet may have a run already, so it is not due."""
    scheduler = policy_scheduler()
    scheduler.configure([nightly()])
    assert ["nightly"] == [state.entry.name for state in scheduler.unregistered]
    assert [] == scheduler.due(THREE)


def test_a_run_is_due_when_its_time_has_come() -> None:
    """The time itself is due, the second before it is not, and asking changes nothing."""
    scheduler, state = followed(nightly(), processed_until=THREE - DAY, now=THREE - timedelta(hours=1))
    assert [] == scheduler.due(THREE - timedelta(seconds=1))
    for _ in range(2):
        (due,) = scheduler.due(THREE)
        assert (state, (THREE,), (), THREE) == (due.state, due.chosen, due.missed, due.until)


def test_catch_up_runs_the_newest_time_and_misses_the_older_ones() -> None:
    """A daemon that was down for three days catches up with one run; the older times are missed for its sake."""
    scheduler, _ = followed(nightly(catch_up="6h"), processed_until=THREE - 3 * DAY, now=THREE + timedelta(hours=6))
    (due,) = scheduler.due(THREE + timedelta(hours=6))
    assert ((THREE,), (THREE - 2 * DAY, THREE - DAY)) == (due.chosen, due.missed)
    assert "missed: a newer time was run instead" == due.reason


@pytest.mark.parametrize(
    ("catch_up", "reason"),
    [
        ("1h", "missed: no daemon could run it within catch_up (1h)"),
        (None, "missed: no daemon could run it in time, and the policy has no catch_up"),
    ],
)
def test_a_time_beyond_catch_up_is_missed(catch_up: str | None, reason: str) -> None:
    """No run is due for it; the schedule is processed once the miss is recorded."""
    scheduler, _ = followed(nightly(catch_up=catch_up), processed_until=THREE - DAY, now=THREE + timedelta(hours=2))
    (due,) = scheduler.due(THREE + timedelta(hours=2))
    assert ((), (THREE,), THREE, reason) == (due.chosen, due.missed, due.until, due.reason)


def test_a_schedule_in_progress_is_not_due_again() -> None:
    """No later pass plans the same times; once they are recorded, the next time is due when it comes."""
    scheduler, state = followed(nightly(), processed_until=THREE - DAY, now=THREE)
    (due,) = scheduler.due(THREE)
    state.begin()
    assert [] == scheduler.due(THREE)
    assert due.until is not None
    state.advance(due.until)
    state.end()
    assert [] == scheduler.due(THREE + timedelta(hours=1))
    assert [(THREE + DAY,)] == [due.chosen for due in scheduler.due(THREE + DAY)]


def test_a_deferred_schedule_is_due_again_after_its_pause() -> None:
    """The same problem is new once only, and it becomes part of the reason if the time is missed meanwhile."""
    clock = MovedClock()
    scheduler, state = followed(nightly(), processed_until=THREE - DAY, now=THREE, clock=clock)
    assert state.postpone("no view", retry_at_s=10.0)
    assert [] == scheduler.due(THREE)
    clock.seconds = 10.0
    assert [(THREE,)] == [due.chosen for due in scheduler.due(THREE)]
    assert not state.postpone("no view", retry_at_s=10.0)
    assert state.postpone("no table", retry_at_s=10.0)
    (due,) = scheduler.due(THREE + timedelta(hours=1))
    assert ((), (THREE,)) == (due.chosen, due.missed)
    assert due.reason.endswith("; no table")


def test_a_blocked_scheduler_keeps_the_problem_as_the_reason_of_a_missed_time() -> None:
    """While clocks differ no run is due; a time that is missed by then names that problem, the next one does not."""
    scheduler, state = followed(nightly(), processed_until=THREE - DAY, now=THREE - timedelta(hours=1))
    scheduler.block("clocks differ")
    scheduler.reread()
    (unread,) = scheduler.unregistered
    unread.register(THREE - DAY, THREE + timedelta(hours=1))
    (due,) = scheduler.due(THREE + timedelta(hours=1))
    assert due.reason.endswith("; clocks differ")
    state.advance(THREE)
    (due,) = scheduler.due(THREE + DAY + timedelta(hours=1))
    assert "clocks" not in due.reason


def test_a_reloaded_policy_keeps_its_schedule_and_takes_its_new_rails() -> None:
    """A schedule in progress is planned under the policy as it is configured when its plan begins."""
    scheduler, state = followed(nightly(), processed_until=THREE - DAY, now=THREE)
    (due,) = scheduler.due(THREE)
    scheduler.configure([nightly(max_rounds=3)])
    assert 3 == due.state.entry.max_rounds
    assert ([], []) == (scheduler.removed, scheduler.unregistered)
    assert state is scheduler.due(THREE)[0].state


def test_a_changed_schedule_begins_anew() -> None:
    """Another expression is another schedule: the old one is closed in the ledger, the new one is registered."""
    scheduler, old = followed(nightly(), processed_until=THREE - DAY, now=THREE)
    scheduler.configure([nightly(schedule="0 4 * * *")])
    assert [] == scheduler.due(THREE + DAY)
    assert [old.key] == scheduler.removed
    assert ["0 4 * * *"] == [state.key.schedule for state in scheduler.unregistered]
    scheduler.forget_removed(old.key)
    assert [] == scheduler.removed


def test_a_schedule_in_progress_is_not_reread() -> None:
    """Its times are being recorded; a row that is read in between would make them due a second time."""
    scheduler, state = followed(nightly(), processed_until=THREE - DAY, now=THREE)
    state.begin()
    scheduler.reread()
    assert [] == scheduler.unregistered


def test_a_missed_time_is_reported_once() -> None:
    """A miss whose recording failed halfway is recorded again, and counted and logged once."""
    _, state = followed(nightly(), processed_until=THREE - DAY, now=THREE)
    assert [THREE] == state.report_missed([THREE])
    assert [THREE + DAY] == state.report_missed([THREE, THREE + DAY])


def test_a_policy_without_schedule_is_never_due() -> None:
    """It is run on demand only."""
    scheduler = policy_scheduler()
    assert {} == scheduler.configure([nightly(schedule=None, timezone=None)])
    assert [] == scheduler.unregistered
