"""Rounds that the vendor has just called in progress, and that wait for their cancel requests."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from retention.core.sending.pacing import TOLD_GOOD_S

if TYPE_CHECKING:
    from collections.abc import Iterable

PRIME_S = 1.0
"""Seconds of the rate to have in hand before the first cancel, so that a slow question costs no cancel its slot."""

AHEAD_S = 3.0
"""Seconds of the rate by which questions may be ahead of the cancels."""

OLD_S = 15.0
"""Seconds after which a round has waited long: questions pause then, as the vendor's word is good for a minute."""


class AskedRounds:
    """Ids of cancellations with the moment when each one's question left, oldest first; a process's own.

    What is taken out is remembered until it is called (`done`) or put back. `lapsed` collects those whose answer is not
    good any more, and which have to be asked about again.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._rounds: deque[tuple[int, float]] = deque()
        self._out: dict[int, float] = {}
        self._primed = False
        self.lapsed: list[int] = []

    def __len__(self) -> int:
        return len(self._rounds)

    def add(self, cancellation_id: int, asked_at: float) -> None:
        """The vendor says that this round is in progress, asked at a moment of the monotonic clock."""
        self._rounds.append((cancellation_id, asked_at))

    def put_back(self, cancellation_ids: Iterable[int]) -> None:
        """These were not called after all, and come first the next time."""
        back = [(one, self._out.pop(one)) for one in cancellation_ids if one in self._out]
        self._rounds.extendleft(sorted(back, key=lambda told: -told[1]))

    def done(self, cancellation_id: int) -> None:
        """This one was called, or is not to be."""
        self._out.pop(cancellation_id, None)

    def is_out(self, cancellation_id: int) -> bool:
        """Whether it was taken out, and neither called nor put back."""
        return cancellation_id in self._out

    def ready(self, now: float, *, all_asked: bool) -> int:
        """How many may be claimed now: none at first, until some are in hand or there is nothing more to ask."""
        self._forget(now)
        if not self._primed:
            waited = now - self._rounds[0][1] if self._rounds else 0.0
            self._primed = bool(self._rounds) and (
                all_asked or waited > PRIME_S or len(self._rounds) >= self._rate * PRIME_S
            )
        return len(self._rounds) if self._primed else 0

    def take(self, most: int) -> list[int]:
        """Take the oldest out, so many at the most."""
        taken = [self._rounds.popleft() for _ in range(min(most, len(self._rounds)))]
        self._out.update(taken)
        return [one for one, _ in taken]

    def room(self, now: float, asking: int) -> int:
        """How many more may be asked about, beside the `asking` whose answers are not here yet."""
        self._forget(now)
        if self._rounds and now - self._rounds[0][1] > OLD_S:
            return 0
        return max(0, int(self._rate * AHEAD_S) + 2 - len(self._rounds) - asking)

    def _forget(self, now: float) -> None:
        while self._rounds and now - self._rounds[0][1] >= TOLD_GOOD_S:
            self.lapsed.append(self._rounds.popleft()[0])
