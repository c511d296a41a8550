"""What one process has done so far in a run; read by the progress display and the summary."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retention.core.model import State


@dataclass(slots=True)
class Stats:
    """Counts of what was recorded, not of what was tried."""

    states: Counter[State] = field(default_factory=Counter)
    requests: int = 0
    taken_up: int = 0

    @property
    def done(self) -> int:
        """Rounds that reached a final state by this process's hand."""
        return self.states.total()
