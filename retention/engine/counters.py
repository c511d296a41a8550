"""Counts of one process: in one run for the progress display, in all its runs for the metrics.

The counts are plain numbers, which a scrape converts. A round costs one dictionary addition, and the engine does not
depend on Prometheus.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from retention.core.planning.plan import EXACT_CONTEXT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from retention.core.model import State

BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds: the upper bounds of the histogram of requests."""


@dataclass(slots=True)
class LatencyHistogram:
    """A histogram of seconds. `counts` has one more bucket than there are bounds, for longer times."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    total: float = 0.0

    def note(self, seconds: float) -> None:
        """Count one request."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.total += seconds

    def add(self, other: LatencyHistogram) -> None:
        """Add the requests of another histogram."""
        self.counts = [one + more for one, more in zip(self.counts, other.counts, strict=True)]
        self.total += other.total


@dataclass(slots=True)
class ProcessCounters:
    """Counts since the process began, of rounds and refunds that the ledger has recorded."""

    rounds: Counter[tuple[str, str, str, State]] = field(default_factory=Counter)
    """By policy, partner, market and outcome."""
    requests: defaultdict[str, LatencyHistogram] = field(default_factory=lambda: defaultdict(LatencyHistogram))
    """By partner; both cancel and status requests."""
    refunds: defaultdict[tuple[str, str], Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    """Currency units that the vendor promised, by partner and currency."""
    waited: Counter[str] = field(default_factory=Counter)
    """Milliseconds that requests waited for their slots, by partner."""
    stale: dict[tuple[str, str], int] = field(default_factory=dict)
    """Stale rounds that the newest plan found, by policy and market."""
    planned: set[str] = field(default_factory=set)
    """The policies of which a plan was made."""

    missed: Counter[str] = field(default_factory=Counter)
    """Times of schedules that passed without a run, by policy."""
    lost: int = 0
    """Helper processes that ended before their work did."""

    def found(self, policy: str, markets: Iterable[tuple[str, int]]) -> None:
        """Record the stale rounds of a new plan of the policy, by market; other markets have no stale rounds."""
        self.planned.add(policy)
        for key in self.stale:
            if key[0] == policy:
                self.stale[key] = 0
        for market, rounds in markets:
            self.stale[policy, market] = self.stale.get((policy, market), 0) + rounds

    def take(self) -> ProcessCounters:
        """Take what requests have counted out of these counts, for those of another process."""
        taken = ProcessCounters(self.rounds, self.requests, self.refunds, self.waited)
        empty = ProcessCounters()
        self.rounds, self.requests = empty.rounds, empty.requests
        self.refunds, self.waited = empty.refunds, empty.waited
        return taken

    def add(self, taken: ProcessCounters) -> None:
        """Add what another process has counted."""
        self.rounds.update(taken.rounds)
        self.waited.update(taken.waited)
        for partner, latencies in taken.requests.items():
            self.requests[partner].add(latencies)
        for key, amount in taken.refunds.items():
            self.refunds[key] = EXACT_CONTEXT.add(self.refunds[key], amount)

    @property
    def is_empty(self) -> bool:
        """Whether no request has counted anything."""
        return not (self.rounds or self.requests or self.refunds or self.waited)


@dataclass(slots=True)
class RunCounters:
    """One process's part in one run of a policy."""

    policy: str
    tally: ProcessCounters
    states: Counter[State] = field(default_factory=Counter)

    @property
    def done(self) -> int:
        """Rounds that this process brought to a final state."""
        return self.states.total()

    def ended(self, partner: str, market: str, state: State, rounds: int = 1) -> None:
        """Count rounds that this run has finished."""
        self.states[state] += rounds
        self.tally.rounds[self.policy, partner, market, state] += rounds

    def add(self, taken: ProcessCounters) -> None:
        """Add what another process has counted in the same run."""
        for (_, _, _, state), rounds in taken.rounds.items():
            self.states[state] += rounds
        self.tally.add(taken)

    def refund(self, partner: str, currency: str | None, amount: Decimal | None) -> None:
        """Add a refund that the vendor promised, in currency units."""
        if amount is not None and currency is not None:
            key = (partner, currency)
            self.tally.refunds[key] = EXACT_CONTEXT.add(self.tally.refunds[key], amount)
