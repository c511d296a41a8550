"""The rails: limits that halt a run."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from statistics import median
from typing import TYPE_CHECKING

from retention.core.money import display_money, padded_decimal
from retention.core.runs.halt_cause import HaltCause
from retention.core.text import counted, plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CURRENCY = re.compile("[A-Z]{3}")

MIN_REPLIES = 50
"""The failure ratio of fewer replies says nothing."""

SURGE_RUNS = 14
"""The median of so many finished runs is the usual size of a plan."""

NO_SURGE_ROUNDS = 100
"""A plan of at most so many rounds is no surge."""

DRIFT_WORDS: Mapping[str, str] = {
    "closed": "closed",
    "doubled": "in the view more than once",
    "opened_again": "opened again",
    "another_user": "of another user",
    "another_market": "of another market",
    "broken": "with values that make no sense",
    "came_back": "active again",
    "held": "on hold",
    "not_planned": "planned no more",
}
"""Why an approved round is gone, as rechecked_candidates.sql names it."""

NO_USUAL_SIZE = "max_surge judges nothing yet: no enforcing run of the policy has finished"
"""The words for a plan without finished runs to compare it with."""


@dataclass(frozen=True, slots=True)
class PlanTotals:
    """The totals of a plan: its rounds, and the sum of their stakes by currency, in currency units.

    `unjudged` counts the rounds with a stake that max_amount cannot judge: missing or negative, without a currency of
    ISO 4217.
    """

    rounds: int
    stakes: Mapping[str, Decimal] = field(default_factory=dict)
    unjudged: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a policy for a plan."""

    max_rounds: int
    max_amount: Mapping[str, Decimal] = field(default_factory=dict)
    max_amount_unknown: int = 0
    max_surge: float | None = None


@dataclass(frozen=True, slots=True)
class Surge:
    """A plan beside its policy's last `runs` finished runs, in rounds: `usual` is the median of their plans."""

    planned: int
    runs: int
    usual: float
    allowed: int

    @property
    def trips(self) -> bool:
        """Whether the plan has more rounds than allowed."""
        return self.planned > self.allowed

    def __str__(self) -> str:
        usual = f"usual are {self.usual:g}, the median of {counted(self.runs, 'finished run')}"
        return f"{counted(self.planned, 'stale round')}, {usual}, the policy allows {self.allowed}"


@dataclass(frozen=True, slots=True)
class Tripped:
    """A rail that halts the run; `detail` says by how much."""

    rail: HaltCause
    detail: str

    def __str__(self) -> str:
        return self.rail.reason(self.detail)


def check_plan(
    totals: PlanTotals, limits: Limits, overridden: Sequence[str] = (), recent: Sequence[int] = ()
) -> list[Tripped]:
    """List the rails that a plan trips, without the overridden ones. `recent`: see measure_surge."""
    tripped = []
    if totals.rounds > limits.max_rounds:
        detail = f"{counted(totals.rounds, 'stale round')}, the policy allows {limits.max_rounds}"
        tripped.append(Tripped(HaltCause.MAX_ROUNDS, detail))
    over = [
        f"{display_money(totals.stakes[currency], currency)}, the policy allows {padded_decimal(limit, currency)}"
        for currency, limit in sorted(limits.max_amount.items())
        if totals.stakes.get(currency, 0) > limit
    ]
    if over:
        tripped.append(Tripped(HaltCause.MAX_AMOUNT, "stakes of " + "; ".join(over)))
    if limits.max_amount and totals.unjudged > limits.max_amount_unknown:
        what = "with a stake that max_amount cannot judge (none or a negative one, or no currency of ISO 4217)"
        detail = f"{counted(totals.unjudged, 'round')} {what}, the policy allows {limits.max_amount_unknown}"
        tripped.append(Tripped(HaltCause.MAX_AMOUNT_UNKNOWN, detail))
    surge = measure_surge(totals.rounds, limits, recent)
    if surge is not None and surge.trips:
        tripped.append(Tripped(HaltCause.MAX_SURGE, str(surge)))
    return [rail for rail in tripped if rail.rail not in overridden]


def measure_surge(planned: int, limits: Limits, recent: Sequence[int]) -> Surge | None:
    """Compare a plan of `planned` rounds with the policy's `recent` plans; None where there is nothing to compare.

    `recent`: the planned rounds of the policy's last SURGE_RUNS finished enforcing runs. One such run is enough. Runs
    without rounds count: where most nights find nothing, a plan above NO_SURGE_ROUNDS is a surge.
    """
    if limits.max_surge is None or not recent:
        return None
    usual = median(recent)
    # Exact: 2.3 times 100 is less than 230 as a float.
    allowed = max(NO_SURGE_ROUNDS, int(Decimal(str(limits.max_surge)) * Decimal(usual)))
    return Surge(planned, len(recent), usual, allowed)


def check_failure_ratio(replies: str, max_failure_ratio: float, overridden: Sequence[str] = ()) -> Tripped | None:
    """Check the failure ratio of the newest `replies`: "1" for a rejected or unclear reply, "0" for any other."""
    if len(replies) < MIN_REPLIES or HaltCause.MAX_FAILURE_RATIO in overridden:
        return None
    failed = replies.count("1")
    if failed / len(replies) <= max_failure_ratio:  # not multiplied: 0.29 * 200 is less than 58
        return None
    allowed = f"the policy allows {max_failure_ratio * 100:g}%"
    were = "was" if failed == 1 else "were"
    detail = f"{failed} of the last {len(replies)} replies {were} refused or in doubt, {allowed}"
    return Tripped(HaltCause.MAX_FAILURE_RATIO, detail)


def check_conflicts(refused: int, max_conflicts: int, overridden: Sequence[str] = ()) -> Tripped | None:
    """Check the number of closings that the operator's database has refused in a run."""
    if refused <= max_conflicts or HaltCause.MAX_CONFLICTS in overridden:
        return None
    rounds = counted(refused, "round")
    detail = (
        f"the operator's database refused to close {rounds} that the vendor had cancelled, the policy allows"
        f" {max_conflicts}; `retention review list` says why, `retention review reclose` closes them once it is mended"
    )
    return Tripped(HaltCause.MAX_CONFLICTS, detail)


def check_drift(
    gone: Mapping[str, int], approved: int, max_drift: float | None, overridden: Sequence[str] = ()
) -> Tripped | None:
    """Check how many of the `approved` rounds are `gone`, by reason, before the run's first request."""
    count = sum(gone.values())
    if max_drift is None or HaltCause.MAX_DRIFT in overridden or count == 0 or count / approved <= max_drift:
        return None
    reasons = ", ".join(f"{number} {DRIFT_WORDS.get(why, why)}" for why, number in sorted(gone.items()))
    detail = f"{count} of {counted(approved, 'approved round')} {plural(count, 'is', 'are')} gone ({reasons})"
    return Tripped(HaltCause.MAX_DRIFT, f"{detail}, the policy allows {max_drift * 100:g}%")


def is_currency(code: str) -> bool:
    """Tell whether a code has the form of an ISO 4217 code."""
    return _CURRENCY.fullmatch(code) is not None
