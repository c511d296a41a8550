"""Decides the runs that people are notified of, the event of each, and how long deliveries are retried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from retention.core.runs.halt_cause import HaltCause, cause_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from retention.core.runs.summary import Summary

Event = Literal[
    "run.halted",
    "run.failed",
    "run.review",
    "run.stalled",
    "run.awaiting_approval",
    "schedule.missed",
    "report.made",
    "report.failed",
]

EVENTS: tuple[Event, ...] = get_args(Event)

RETRY_BASE_S = 5.0
"""Seconds of the longest pause after the first failed delivery; it doubles with each further failure."""

RETRY_CAP_S = 3600.0
"""Seconds that a pause between two deliveries lasts at most."""

GIVE_UP_AFTER_S = 3 * 86_400.0
"""Seconds after which an undelivered notification is given up: a receiver may be down over a weekend."""

_EVENT_OF_STATUS: Mapping[str, Event] = {
    "planned": "run.stalled",
    "running": "run.stalled",
    "awaiting_approval": "run.awaiting_approval",
    "halted": "run.halted",
    "failed": "run.failed",
}
"""The event of a run whose status alone decides it. A planned or running run is here only because it has stalled."""


@dataclass(frozen=True, slots=True)
class RunToNotify:
    """A run that was halted, has ended, has stalled or waits, and that people were not notified of yet.

    `paused`: the kill switch halted it.
    """

    run_id: UUID
    policy: str
    trigger: str
    mode: str
    scheduled_for: datetime | None
    requested_by: str
    status: str
    halt_reason: str | None
    paused: bool


def event_of(run: RunToNotify) -> Event | None:
    """Return the event of a run; None if it has none. Only the rounds can tell whether a finished run is worth it."""
    if run.status == "finished":
        return "run.review" if run.mode == "enforce" else None
    if run.status == "cancelled":
        missed = run.trigger == "schedule" and cause_of(run.halt_reason) is HaltCause.MISSED
        return "schedule.missed" if missed else None
    return _EVENT_OF_STATUS.get(run.status)


def event_to_send(run: RunToNotify, summary: Summary) -> Event | None:
    """Return the event that people are notified of; None if the run needs no person."""
    event = event_of(run)
    return None if event == "run.review" and not summary.needs_review else event


def retry_pause(tries: int, fraction: float) -> float:
    """Seconds to wait after that many failed tries; `fraction` is a random number from 0 to 1.

    At least half of the longest pause is waited: a person reads the message, and a minute more does no harm.
    """
    return (0.5 + fraction / 2) * min(RETRY_CAP_S, RETRY_BASE_S * 2.0 ** min(tries - 1, 30))
