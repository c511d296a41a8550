"""Requests in flight to one partner, shared by cancel requests and questions: who may claim how many."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retention.core.model import Kind

WINDOW_S = 0.4
"""Seconds within which what is claimed should have left, with room to spare for a slow moment."""

FIRST_LATENCY_S = 1.0
"""Seconds that a reply is expected to take before there was one."""

LATENCY_SHARE = 0.2
"""Weight of the newest reply in the latency that is expected of the next."""


@dataclass(slots=True)
class InFlightLimit:
    """How many requests may be in flight (`capacity`), and how many claims may wait for them.

    A claim that waits longer than its look is good for was made for nothing. So no more are made than can leave soon:
    one for each free place, and more where replies come so quickly that a place serves several within the window. Where
    both kinds want more than there is, each gets half, and what cannot be halved goes to them by turns.
    """

    capacity: int
    latency: float = FIRST_LATENCY_S
    in_flight: Counter[Kind] = field(default_factory=Counter)
    _wanting: set[Kind] = field(default_factory=set)
    _last: Kind | None = None

    def began(self, kind: Kind) -> None:
        """A request of this kind leaves."""
        self.in_flight[kind] += 1
        self._last = kind

    def ended(self, kind: Kind) -> None:
        """It does not take a place any more."""
        self.in_flight[kind] -= 1

    def observe(self, seconds: float) -> None:
        """Take in how long a request took."""
        self.latency += LATENCY_SHARE * (seconds - self.latency)

    def waited_too_long(self) -> None:
        """Claims were made that could not leave in time: count on free places alone until replies prove better."""
        self.latency = max(self.latency, WINDOW_S)

    def sated(self, kind: Kind) -> None:
        """There is nothing more of this kind to be claimed just now."""
        self._wanting.discard(kind)

    def room(self, kind: Kind, wanted: int, waiting: Counter[Kind], connections: int) -> int:
        """How many rounds to claim now, of `wanted`; `waiting` counts each kind's claims that have not left yet."""
        places = min(self.capacity, connections)
        usable = int(places * max(1.0, WINDOW_S / max(self.latency, 0.001)))
        free = usable - self.in_flight.total() - waiting.total()
        if self._wanting - {kind}:
            half = usable // 2 if self._last is kind else (usable + 1) // 2
            free = min(free, half - self.in_flight[kind] - waiting[kind])
        granted = max(0, min(wanted, free))
        (self._wanting.add if wanted > granted else self._wanting.discard)(kind)
        return granted
