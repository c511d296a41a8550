"""The question that a person answers before a run sends its first request."""

from __future__ import annotations

import textwrap
from functools import partial
from typing import TYPE_CHECKING

from retention.core.money import display_sums
from retention.core.text import counted, plural, printable
from retention.render.terminal_table import moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from retention.runs.model import Planned

WIDTH_COLUMNS = 80


def question(planned: Planned, doubts: int) -> str:
    """Describe the rounds to cancel (partners, markets, number, stakes, age), in lines of 80 columns.

    `doubts`: the number of doubts of earlier runs that this run settles.
    """
    return "\n".join(
        part
        for line in _lines(planned, doubts)
        for part in textwrap.wrap(printable(line), WIDTH_COLUMNS, subsequent_indent="  ", break_on_hyphens=False)
    )


def _lines(planned: Planned, doubts: int) -> Iterator[str]:
    plan, totals = planned.plan, planned.plan.totals()
    partners = _listed("partner", (group.partner for group in plan.eligible))
    markets = _listed("market", (group.market for group in plan.eligible))
    yield ", ".join(filter(None, [f"policy {planned.policy.name}", *partners, *markets]))
    if plan.rounds:
        yield f"{_counted(plan.rounds, 'round')} to cancel, the oldest opened at {moment(plan.oldest)}"
        stakes = ", ".join(display_sums(totals.stakes))
        without = f"{_counted(totals.unjudged, 'round')} without a usable stake" if totals.unjudged else ""
        yield "; ".join(filter(None, [f"stakes {stakes}" if stakes else "", without]))
    if doubts:
        yield f"{_counted(doubts, 'doubt')} of earlier runs to settle"


def _listed(noun: str, names: Iterable[str | None]) -> list[str]:
    known = sorted({name for name in names if name})
    return [f"{plural(len(known), noun)} {', '.join(known)}"] if known else []


_counted = partial(counted, separator=",")
