"""The months of an archive as a terminal shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.text import counted
from retention.render.terminal_ledger import size_text
from retention.render.terminal_table import Column, print_grid, print_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TextIO

    from retention.audit.archive_plan import MonthPlan

_COLUMNS = (
    Column("month"),
    Column("rounds", right=True),
    Column("attempts", right=True),
    Column("entries", right=True),
    Column("rounds that stay", right=True),
    Column("size", right=True),
)


def print_plans(plans: Sequence[MonthPlan], *, dry_run: bool, file: TextIO | None = None) -> None:
    """Print what leaves or has left of each month, and why a month stays."""
    leaving = [plan for plan in plans if plan.why_not is None]
    if leaving:
        rows = (
            (
                one.month,
                f"{one.rounds:,}",
                f"{one.attempts:,}",
                f"{one.entries:,}",
                f"{one.kept:,}",
                size_text(one.bytes),
            )
            for one in leaving
        )
        print_grid(_COLUMNS, rows, file)
    print_lines(_lines(plans, dry_run=dry_run), file)


def _lines(plans: Sequence[MonthPlan], *, dry_run: bool) -> Iterator[str]:
    leaving = sum(plan.why_not is None for plan in plans)
    if dry_run:
        yield f"{counted(leaving, 'month')} would be archived; nothing is changed"
    else:
        yield f"{counted(leaving, 'month')} archived" if leaving else "nothing is archived"
    for plan in plans:
        if plan.resumed:
            yield f"{plan.month}: archived before; what an interruption left is dropped"
        if plan.why_not is not None:
            yield f"{plan.month} stays: {plan.why_not}"
