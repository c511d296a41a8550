"""Why a scheduled time passed without a run or a report.

A missed time is a row of `runs` with status `cancelled` and a `halt_reason` that begins with "missed:", because the
list of statuses is public interface.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.runs.halt_cause import HaltCause
from retention.core.text import format_duration

if TYPE_CHECKING:
    from datetime import timedelta


def missed_reason(*, newer_is_run: bool, catch_up: timedelta | None, problem: str | None, kind: str = "policy") -> str:
    """Write the `halt_reason` of the missed times of the schedule of a policy or report.

    `newer_is_run`: a newer time of the schedule is due and is run instead. `problem`: the last known obstacle, if any.
    """
    does = "run" if kind == "policy" else "make"
    if newer_is_run:
        detail = f"a newer time {'was run' if kind == 'policy' else 'has the report'} instead"
    elif catch_up:
        detail = f"no daemon could {does} it within catch_up ({format_duration(catch_up)})"
    else:
        detail = f"no daemon could {does} it in time, and the {kind} has no catch_up"
    return HaltCause.MISSED.reason(f"{detail}; {problem}" if problem else detail)
