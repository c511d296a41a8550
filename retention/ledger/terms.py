"""The terms of a partner's claims."""

from __future__ import annotations

from dataclasses import dataclass

from retention.core.model import Kind

SETTLE_MARGIN_S = 5.0
"""Seconds of a lease beyond slot and timeout, for writing the reply."""


@dataclass(frozen=True, slots=True)
class PartnerTerms:
    """One partner's terms for claims; rates in requests per second, `timeout` and `max_pause` in seconds.

    `ask_first`: a cancel needs a recent probe that found the round in progress. `max_pause`: the longest pause that the
    vendor's Retry-After may ask for.
    """

    partner: str
    rate: float
    timeout: float
    max_attempts: int
    status_probe: bool
    ask_first: bool = False
    question_rate: float | None = None
    max_pause: float = 3600.0

    @property
    def lease(self) -> float:
        """Seconds from a request's slot during which no other process acts on its round."""
        return self.timeout + SETTLE_MARGIN_S

    @property
    def cancels_per_second(self) -> float:
        """The highest number of cancelled rounds per second."""
        return min(self.rate, self.rate_of(Kind.STATUS)) if self.ask_first else self.rate

    def rate_of(self, kind: Kind) -> float:
        """The rate of requests of that kind."""
        return self.rate if kind is Kind.CANCEL or self.question_rate is None else self.question_rate
