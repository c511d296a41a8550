"""The terms of a partner's claims."""

from __future__ import annotations

from dataclasses import dataclass

from retention.core.model import Kind
from retention.core.planning.eta import Pace
from retention.core.sending.pacing import late_rate

SETTLE_MARGIN_S = 5.0
"""Seconds of a lease beyond slot and timeout, for writing the reply."""


@dataclass(frozen=True, slots=True)
class GroupTerms:
    """A rate group: `rate` requests per second of all its partners together; `partners` is their number."""

    name: str
    rate: float
    partners: int = 1


@dataclass(frozen=True, slots=True)
class PartnerTerms:
    """One partner's terms for claims; rates in requests per second, `timeout` and `max_pause` in seconds.

    `ask_first`: a cancel needs a recent probe that found the round in progress. `max_pause`: the longest pause that the
    vendor's Retry-After may ask for. `group`: the partners that share one more limit with this one.
    """

    partner: str
    rate: float
    timeout: float
    max_attempts: int
    status_probe: bool
    ask_first: bool = False
    question_rate: float | None = None
    max_pause: float = 3600.0
    group: GroupTerms | None = None

    @property
    def lease(self) -> float:
        """Seconds from a request's slot during which no other process acts on its round."""
        return self.timeout + SETTLE_MARGIN_S

    @property
    def pace(self) -> Pace:
        """The limits on cancelled rounds: its own, and its group's."""
        rate = min(self.rate, self.rate_of(Kind.STATUS)) if self.ask_first else self.rate
        if self.group is None:
            return Pace(rate)
        return Pace(rate, self.requests_per_round, self.group.name, self.group.rate)

    @property
    def requests_per_round(self) -> int:
        """Requests that a round takes where all goes well."""
        return 2 if self.ask_first else 1

    @property
    def ahead_rate(self) -> float:
        """The rate of cancels that probes prepare for, in rounds per second."""
        group = self.group.rate if self.group else self.rate
        return min(self.rate, group / self.requests_per_round)

    def late_rate_of(self, kind: Kind) -> float:
        """The rate whose late share requests of that kind may use up in each process."""
        if self.group is None:
            return self.rate_of(kind)
        return late_rate(self.rate_of(kind), self.group.rate, len(Kind) * self.group.partners)

    def rate_of(self, kind: Kind) -> float:
        """The rate of requests of that kind."""
        return self.rate if kind is Kind.CANCEL or self.question_rate is None else self.question_rate
