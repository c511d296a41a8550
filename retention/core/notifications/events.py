"""What a person must know: which runs are worth it, how often it is tried, and how it is signed on its way."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from retention.core.runs.halt_cause import HaltCause, cause_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from retention.core.runs.summary import Summary

Event = Literal["run.halted", "run.failed", "run.review", "run.stalled", "run.awaiting_approval", "schedule.missed"]

EVENTS: tuple[Event, ...] = get_args(Event)

MISSED = "missed: "
"""How the halt_reason of a scheduled time begins that passed without a run."""

BASE = 5.0
"""Seconds: the longest first pause between two tries."""

CAP = 3600.0
"""Seconds: no pause is longer."""

PATIENCE = 3 * 86_400.0
"""Seconds: what nobody has taken for so long is given up."""


_EVENTS: Mapping[str, Event] = {
    "planned": "run.stalled",
    "running": "run.stalled",
    "awaiting_approval": "run.awaiting_approval",
    "halted": "run.halted",
    "failed": "run.failed",
}
"""What a run is told as, by its status, where that alone says it."""


@dataclass(frozen=True, slots=True)
class RunToNotify:
    """A run that was halted, is over, has stalled, or waits, and nobody has been told.

    `paused`: halted by the kill switch.
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
    """Return what the run may be told as; whether a finished one is worth it, only its rounds can say."""
    if run.status == "finished":
        return "run.review" if run.mode == "enforce" else None
    if run.status == "cancelled":
        missed = run.trigger == "schedule" and cause_of(run.halt_reason) is HaltCause.MISSED
        return "schedule.missed" if missed else None
    return _EVENTS.get(run.status)


def event_to_send(run: RunToNotify, summary: Summary) -> Event | None:
    """Return what the run is told as; None where it needs nobody."""
    event = event_of(run)
    return None if event == "run.review" and not summary.needs_review else event


def retry_pause(tries: int, fraction: float) -> float:
    """Seconds to wait after the given number of failed tries; `fraction` is a random number from 0 to 1.

    At least half of the step is always waited: who is told is a person, and a minute more is no loss.
    """
    return (0.5 + fraction / 2) * min(CAP, BASE * 2.0 ** min(tries - 1, 30))


def signing_key(secret: str) -> bytes:
    """The bytes of a key: what follows `whsec_` is base64, anything else is taken as it is. Raises ValueError."""
    if secret.startswith("whsec_"):
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    return secret.encode()


def signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`, as the Standard Webhooks specification has it; `timestamp` in Unix seconds."""
    signed = hmac.new(key, b"%s.%d.%s" % (message_id.encode(), timestamp, body), hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"
