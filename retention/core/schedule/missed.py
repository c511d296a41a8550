"""Why a scheduled time passed without a run: the one value behind the `halt_reason` of such a time.

A missed time is a row of `runs` with status `cancelled` and a `halt_reason` that begins with "missed: ", because the
list of statuses is public interface. This module alone writes and reads that prefix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from retention.core.text import format_duration

if TYPE_CHECKING:
    from datetime import timedelta

_PREFIX = "missed: "


@dataclass(frozen=True, slots=True)
class MissedReason:
    """The reason in words, without the prefix. `str()` gives the text that the ledger stores."""

    detail: str

    def __str__(self) -> str:
        return f"{_PREFIX}{self.detail}"

    @classmethod
    def parse(cls, halt_reason: str | None) -> Self | None:
        """Read a stored `halt_reason`; None if it is not the reason of a missed time."""
        if halt_reason is None or not halt_reason.startswith(_PREFIX):
            return None
        return cls(halt_reason.removeprefix(_PREFIX))


def missed_reason(*, newer_is_run: bool, catch_up: timedelta | None, problem: str | None) -> MissedReason:
    """Give the reason for the missed times of one schedule.

    `newer_is_run`: a newer time of the schedule is due and is run instead. `problem`: the last known obstacle, if any.
    """
    if newer_is_run:
        detail = "a newer time was run instead"
    elif catch_up:
        detail = f"no daemon could run it within catch_up ({format_duration(catch_up)})"
    else:
        detail = "no daemon could run it in time, and the policy has no catch_up"
    return MissedReason(f"{detail}; {problem}" if problem else detail)
