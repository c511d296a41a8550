"""The claims of this process: from the claim until its release, or until its reply is written.

A process keeps its requests and replies in memory across a lost commit. The heartbeat reads when the server started;
a changed start means a crash or another server. Requests that may have left, and the newest replies, are then recorded
and settled again. The process claims nothing for the length of a lease, so that the other processes can
do the same first.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from retention.core.model import Claim

RECENT_S = 30.0
"""Seconds, before this process last saw a server, of releases and settlements that a standby of it may lack."""

RECENT = 20_000
"""Releases, and settlements, that are kept, at the most."""


class ClaimsInHand:
    """Claims by attempt. `doubted`: the database may have lost some of them, and has to be compared.

    `moved`: some of them have been recorded again for other cancellations than they were made for.
    """

    def __init__(self) -> None:
        self.doubted = False
        self.moved = False
        self._claims: dict[str, Claim] = {}
        self._rounds: dict[int, str] = {}
        self._released: deque[tuple[float, Claim]] = deque(maxlen=RECENT)

    def add(self, claims: Iterable[Claim]) -> None:
        """Take claims in hand, or replace them by the same claims with new slots."""
        for claim in claims:
            self._claims[claim.uuid] = claim
            self._rounds[claim.cancellation_id] = claim.uuid

    def drop(self, claim: Claim) -> None:
        """Drop a claim that is released, or whose reply is written."""
        number = self._claims.pop(claim.uuid, claim).cancellation_id
        if self._rounds.get(number) == claim.uuid:
            del self._rounds[number]

    def move(self, restored: Mapping[str, int | None]) -> None:
        """Move claims that were recorded again to the cancellations that have them now, by attempt."""
        for uuid, number in restored.items():
            claim = self._claims.get(uuid)
            if claim is not None and number is not None and number != claim.cancellation_id:
                self.moved = True
                self.drop(claim)
                self.add([claim._replace(cancellation_id=number)])

    def latest(self, claim: Claim) -> Claim:
        """A claim as it is on record: with another cancellation, if it was moved."""
        return self._claims.get(claim.uuid, claim)

    def remember_released(self, claims: Iterable[Claim], now: float) -> None:
        """Keep claims whose release is committed; `now` in seconds on the monotonic clock."""
        self._released.extend((now, claim) for claim in claims)

    def released_since(self, moment: float) -> list[Claim]:
        """The claims whose release was committed after a moment of the monotonic clock, in seconds."""
        return [claim for at, claim in self._released if at > moment]

    def has_other(self, claim: Claim) -> bool:
        """Whether the round of a new claim is in hand already: then the database has lost the older claim."""
        return self._rounds.get(claim.cancellation_id, claim.uuid) != claim.uuid

    @property
    def claims(self) -> list[Claim]:
        """All claims in hand."""
        return [*self._claims.values()]

    @property
    def uuids(self) -> list[str]:
        """The attempts of all claims in hand."""
        return [*self._claims]

    def expiring(self, until: float) -> list[Claim]:
        """The claims whose leases end before a moment of the monotonic clock, in seconds."""
        return [claim for claim in self._claims.values() if claim.lease_until < until]
