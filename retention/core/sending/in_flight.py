"""How many rounds each kind of request may claim, so that its requests can leave soon.

Probes and cancels share the partner's `concurrency`. Each kind gets half when both want more, and a kind that needs
less leaves the rest to the other. A claim is made for an idle place only, so that a slow vendor does not collect claims
that grow old.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retention.core.model import Kind

WINDOW_S = 0.4
"""Seconds within which a claim's request should leave, with room to spare for a slow moment."""

FIRST_LATENCY_S = 1.0
"""Seconds that the first reply is expected to take."""

LATENCY_SHARE = 0.2
"""Weight of the newest reply in the latency that the next one is expected to have."""


@dataclass(slots=True)
class InFlightLimit:
    """How many requests may be in flight (`capacity`), and how many claims may wait for their places.

    A claim that waits longer than its look is good for is wasted. Each free place therefore allows one claim, or
    several where replies come so quickly that one place serves several requests within the window. Where both kinds
    want more places than there are, each gets half, and an odd place goes to them by turns.
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
        """A request of this kind frees its place."""
        self.in_flight[kind] -= 1

    def observe(self, seconds: float) -> None:
        """Learn the latency of a request, in seconds."""
        self.latency += LATENCY_SHARE * (seconds - self.latency)

    def waited_too_long(self) -> None:
        """Claims could not leave in time: count free places alone until replies are quick again."""
        self.latency = max(self.latency, WINDOW_S)

    def sated(self, kind: Kind) -> None:
        """This kind finds nothing to claim now."""
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
