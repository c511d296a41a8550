"""The confirmation that a person is asked for: a run before its first request, resolutions before they are written."""

from __future__ import annotations

import textwrap
from functools import partial
from typing import TYPE_CHECKING

from retention.core.money import display_sums
from retention.core.planning.named_rounds import count_refusals
from retention.core.text import counted, plural, printable
from retention.render.terminal_table import moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from retention.core.evidence.resolutions import CheckedResolutions
    from retention.core.planning.plan import Plan
    from retention.runs.model import Planned

WIDTH_COLUMNS = 80


def question(planned: Planned, doubts: int) -> str:
    """Describe the rounds to cancel (partners, markets, number, stakes, age), in lines of 80 columns.

    `doubts`: the number of doubts of earlier runs that this run settles.
    """
    return _wrapped(_lines(planned, doubts))


def resolutions_text(checked: CheckedResolutions, by: str, undecided: int) -> str:
    """Describe decisions: how many as which state, with the sums of refunds and stakes by currency.

    `undecided`: the number of rows without a decision.
    """
    return _wrapped(_resolution_lines(checked, by, undecided))


def _resolution_lines(checked: CheckedResolutions, by: str, undecided: int) -> Iterator[str]:
    yield f"{_counted(len(checked.to_do), 'cancellation')} to resolve, by {by}"
    for state, total in sorted(checked.sums.items()):
        sums = (("refunds", total.refunds), ("stakes", total.stakes))
        words = "; ".join(f"{name} {', '.join(display_sums(amounts))}" for name, amounts in sums if amounts)
        yield f"  {total.count:,} as {state}{': ' if words else ''}{words}"
    if checked.done:
        yield f"{_counted(len(checked.done), 'cancellation')} resolved so before"
    if undecided:
        yield f"{_counted(undecided, 'row')} without a decision, left as {'it is' if undecided == 1 else 'they are'}"


def _wrapped(lines: Iterable[str]) -> str:
    return "\n".join(
        part
        for line in lines
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
    if plan.refused:
        yield f"{_counted(len(plan.refused), 'named round')} refused: {_reasons(plan)}"
    if doubts:
        yield f"{_counted(doubts, 'doubt')} of earlier runs to settle"


def _listed(noun: str, names: Iterable[str | None]) -> list[str]:
    known = sorted({name for name in names if name})
    return [f"{plural(len(known), noun)} {', '.join(known)}"] if known else []


def _reasons(plan: Plan) -> str:
    return ", ".join(f"{count} {why}" for why, count in count_refusals(plan.refused).items())


_counted = partial(counted, separator=",")
