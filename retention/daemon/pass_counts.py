"""The work that one pass of the daemon started, as numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PassCounts:
    """The work that one pass started.

    `due`: schedules with times that have come. `adopted`: runs that another process planned or left, or that a pause
    no longer halts. `notifying`: whether notifications are being sent.
    """

    due: int = 0
    adopted: int = 0
    notifying: bool = False
