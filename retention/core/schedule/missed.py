"""Why a scheduled time passed without a run.

A missed time is a row of `runs` with status `cancelled` and a `halt_reason` that begins with "missed:", because the
list of statuses is public interface.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.runs.halt_cause import HaltCause
from retention.core.text import format_duration

if TYPE_CHECKING:
    from datetime import timedelta


def missed_reason(*, newer_is_run: bool, catch_up: timedelta | None, problem: str | None) -> str:
    """Write the `halt_reason` of the missed times of a schedule.

    `newer_is_run`: a newer time of the schedule is due and is run instead. `problem`: the last known obstacle, if any.
    """
    if newer_is_run:
        detail = "a newer time was run instead"
    elif catch_up:
        detail = f"no daemon could run it within catch_up ({format_duration(catch_up)})"
    else:
        detail = "no daemon could run it in time, and the policy has no catch_up"
    return HaltCause.MISSED.reason(f"{detail}; {problem}" if problem else detail)
