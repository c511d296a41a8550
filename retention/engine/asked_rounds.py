"""The rounds that the vendor has just called in progress, and that wait for their cancel requests.

Permission to cancel passes from the probe to the cancel in memory, and the claim checks it in the ledger. A search for
it in the ledger would read every round that was not probed yet. Once no probe is left, other processes adopt the probed
rounds of a dead process.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from retention.core.sending.pacing import PROBE_GOOD_S

if TYPE_CHECKING:
    from collections.abc import Iterable

PRIME_S = 1.0
"""Seconds of the rate to have in hand before the first cancel, so that a slow probe costs no cancel its slot."""

AHEAD_S = 3.0
"""Seconds of the rate by which probes may be ahead of the cancels."""

OLD_S = 15.0
"""Seconds of waiting after which probes pause, because the vendor's answer is good for a minute."""


class AskedRounds:
    """Ids of cancellations, each with the moment when its probe left, oldest first; one process's own.

    A round that is taken out is remembered until it is cancelled (`forget`) or put back. `lapsed` collects the rounds
    whose answers are too old, and which need another probe.
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
        """The vendor says that this round is in progress; `asked_at` in seconds on the monotonic clock."""
        self._rounds.append((cancellation_id, asked_at))

    def put_back(self, cancellation_ids: Iterable[int]) -> None:
        """Put back rounds that were not cancelled after all; they come first the next time."""
        back = [(one, self._out.pop(one)) for one in cancellation_ids if one in self._out]
        self._rounds.extendleft(sorted(back, key=lambda round_: -round_[1]))

    def forget(self, cancellation_id: int) -> None:
        """Forget a round that was cancelled, or may not be any more."""
        self._out.pop(cancellation_id, None)

    def is_out(self, cancellation_id: int) -> bool:
        """Whether it was taken out, and neither cancelled nor put back."""
        return cancellation_id in self._out

    def ready(self, now: float, *, all_asked: bool) -> int:
        """How many may be claimed now: none at first, until some are in hand or every round is asked about."""
        self._forget(now)
        if not self._primed:
            waited = now - self._rounds[0][1] if self._rounds else 0.0
            self._primed = bool(self._rounds) and (
                all_asked or waited > PRIME_S or len(self._rounds) >= self._rate * PRIME_S
            )
        return len(self._rounds) if self._primed else 0

    def take(self, most: int) -> list[int]:
        """Take out the oldest rounds, `most` at the most."""
        taken = [self._rounds.popleft() for _ in range(min(most, len(self._rounds)))]
        self._out.update(taken)
        return [one for one, _ in taken]

    def room(self, now: float, asking: int) -> int:
        """How many more probes may be claimed, beside the `asking` that have no answer yet."""
        self._forget(now)
        if self._rounds and now - self._rounds[0][1] > OLD_S:
            return 0
        return max(0, int(self._rate * AHEAD_S) + 2 - len(self._rounds) - asking)

    def _forget(self, now: float) -> None:
        while self._rounds and now - self._rounds[0][1] >= PROBE_GOOD_S:
            self.lapsed.append(self._rounds.popleft()[0])
