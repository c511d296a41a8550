"""What a person is asked before a run sends anything."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from retention.core.money import shown_sums
from retention.core.text import printable
from retention.render.terminal_values import moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from retention.runs.model import Planned

WIDTH = 80
"""Columns."""


def question(planned: Planned, doubts: int) -> str:
    """Say what is about to be cancelled: whose rounds, how many, for how much, and how old. In lines of 80 columns."""
    return "\n".join(
        part
        for line in _lines(planned, doubts)
        for part in textwrap.wrap(printable(line), WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    )


def _lines(planned: Planned, doubts: int) -> Iterator[str]:
    plan, figures = planned.plan, planned.plan.figures()
    partners = _listed("partner", (group.partner for group in plan.eligible))
    markets = _listed("market", (group.market for group in plan.eligible))
    yield ", ".join(filter(None, [f"policy {planned.policy.name}", *partners, *markets]))
    if plan.rounds:
        yield f"{_counted(plan.rounds, 'round')} to cancel, the oldest opened at {moment(plan.oldest)}"
        stakes = ", ".join(shown_sums(figures.stakes))
        without = f"{_counted(figures.unjudged, 'round')} without a usable stake" if figures.unjudged else ""
        yield "; ".join(filter(None, [f"stakes {stakes}" if stakes else "", without]))
    if doubts:
        yield f"{_counted(doubts, 'doubt')} of earlier runs to settle"


def _listed(noun: str, names: Iterable[str | None]) -> list[str]:
    known = sorted({name for name in names if name})
    return [f"{noun}{'' if len(known) == 1 else 's'} {', '.join(known)}"] if known else []


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
