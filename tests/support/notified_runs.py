"""Runs that people are notified of, for tests of notifications."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from retention.core.model import State
from retention.core.notifications.events import RunToNotify
from retention.core.runs.summary import Summary

RUN_ID = UUID(int=7)
THREE = datetime(2025, 3, 5, 3, tzinfo=UTC)
"""A scheduled time."""

DOUBT = {State.CANCELLED: 1, State.IN_DOUBT: 1}


def run(**changes: Any) -> RunToNotify:
    """A finished enforcing run that ann requested, with these changes."""
    values: dict[str, Any] = {
        "run_id": RUN_ID,
        "policy": "nightly",
        "trigger": "on_demand",
        "mode": "enforce",
        "scheduled_for": None,
        "requested_by": "ann",
        "status": "finished",
        "halt_reason": None,
        "paused": False,
    }
    return RunToNotify(**{**values, **changes})


def summary(**changes: Any) -> Summary:
    """The summary of a run with one cancelled round, with these changes."""
    values: dict[str, Any] = {"mode": "enforce", "status": "finished", "states": {State.CANCELLED: 1}}
    return Summary(RUN_ID, "nightly", halt_reason=None, **{**values, **changes})
