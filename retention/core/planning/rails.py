"""The limits that stop a run: pure decisions over figures."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from retention.core.money import digits_text, shown_money
from retention.core.text import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

_CURRENCY = re.compile("[A-Z]{3}")

WINDOW_MINIMUM = 50
"""Replies before the failure ratio says anything."""


@dataclass(frozen=True, slots=True)
class PlanTotals:
    """What a plan holds: rounds, and sums of stakes in currency units, per currency.

    `unjudged` counts the rounds whose stake max_amount cannot judge: none or a negative one, no currency or none of
    ISO 4217.
    """

    rounds: int
    stakes: Mapping[str, Decimal] = field(default_factory=dict)
    unjudged: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """A policy's rails for a plan."""

    max_rounds: int
    max_amount: Mapping[str, Decimal] = field(default_factory=dict)
    max_amount_unknown: int = 0


@dataclass(frozen=True, slots=True)
class Tripped:
    """A rail that stops the run, and the words for it."""

    rail: str
    words: str

    def __str__(self) -> str:
        return f"{self.rail}: {self.words}"


def check_plan(figures: PlanTotals, limits: Limits, passed: Sequence[str] = ()) -> list[Tripped]:
    """The rails that a plan trips, but for those that a person has passed."""
    tripped = []
    if figures.rounds > limits.max_rounds:
        tripped.append(
            Tripped("max_rounds", f"{counted(figures.rounds, 'stale round')}, the policy allows {limits.max_rounds}"),
        )
    over = [
        f"{shown_money(figures.stakes[currency], currency)}, the policy allows {digits_text(limit, currency)}"
        for currency, limit in sorted(limits.max_amount.items())
        if figures.stakes.get(currency, 0) > limit
    ]
    if over:
        tripped.append(Tripped("max_amount", "stakes of " + "; ".join(over)))
    if limits.max_amount and figures.unjudged > limits.max_amount_unknown:
        what = "with a stake that max_amount cannot judge (none or a negative one, or no currency of ISO 4217)"
        words = f"{counted(figures.unjudged, 'round')} {what}, the policy allows {limits.max_amount_unknown}"
        tripped.append(Tripped("max_amount_unknown", words))
    return [rail for rail in tripped if rail.rail not in passed]


def check_replies(window: str, max_failure_ratio: float, passed: Sequence[str] = ()) -> Tripped | None:
    """The failure-ratio rail over the newest replies: "1" for each refused or unclear one, "0" for the others."""
    if len(window) < WINDOW_MINIMUM or "max_failure_ratio" in passed:
        return None
    failed = window.count("1")
    if failed / len(window) <= max_failure_ratio:  # not multiplied: 0.29 * 200 is less than 58
        return None
    allowed = f"the policy allows {max_failure_ratio * 100:g}%"
    were = "was" if failed == 1 else "were"
    words = f"{failed} of the last {len(window)} replies {were} refused or in doubt, {allowed}"
    return Tripped("max_failure_ratio", words)


def check_closings(refused: int, max_conflicts: int, passed: Sequence[str] = ()) -> Tripped | None:
    """The rail over closings that the operator's database refused in a run."""
    if refused <= max_conflicts or "max_conflicts" in passed:
        return None
    rounds = counted(refused, "round")
    words = (
        f"the operator's database refused to close {rounds} that the vendor had cancelled, the policy allows"
        f" {max_conflicts}; `retention review list` says why, `retention review reclose` closes them once it is mended"
    )
    return Tripped("max_conflicts", words)


def is_currency(code: str) -> bool:
    """Tell whether a code has the form that ISO 4217 gives to all of them."""
    return _CURRENCY.fullmatch(code) is not None
