"""Reports as a terminal shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from retention.core.money import UNKNOWN, display_amounts_in, display_money, padded_decimal
from retention.render.terminal_table import Column, moment, print_grid, print_lines
from retention.reports.report import DRY_RUN, NO_ACTIVITY, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import TextIO

    from retention.core.evidence.archives import ArchivedMonth
    from retention.render.output import Output
    from retention.reports.kinds.cancelled import ReportRound, Total
    from retention.reports.kinds.decisions import Decision, DecisionTotal
    from retention.reports.kinds.pending import PendingRound, PendingTotal
    from retention.reports.kinds.refunds import RefundTotal, RoundRefund
    from retention.reports.report import Report, Selection

PAGE_ROWS = 1000
"""The most rows of one table. A longer report is printed as several tables, so that it needs little memory."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a terminal shows a kind of report: the columns and cells of its rows and of its totals.

    `empty` says, after the words of NO_ACTIVITY, what did not happen.
    """

    columns: tuple[Column, ...]
    cells: Callable[[Any], tuple[object, ...]]
    total_columns: tuple[Column, ...]
    total_cells: Callable[[Any], tuple[object, ...]]
    empty: Callable[[Selection], str]


async def write_table(report: Report, output: Output) -> int:
    """Write a report as tables for people."""
    return await print_report(report, output.text)


async def print_report(report: Report, file: TextIO | None = None, *, limit: int | None = None) -> int:
    """Print a report's rows, at most `limit` of them, and its totals; return the number of rows printed."""
    layout = LAYOUTS[report.head.selection.kind]
    if report.head.selection.dry_run:
        print_lines([f"run {report.head.selection.run_id}: {DRY_RUN}", ""], file)
    if report.head.archived:
        print_lines([*archived_lines(report.head.archived), ""], file)
    count = 0
    page: list[Any] = []
    async for item in report.rows:
        if count == limit:
            break
        page.append(item)
        count += 1
        if len(page) == PAGE_ROWS:
            print_grid(layout.columns, map(layout.cells, page), file)
            page.clear()
    if page:
        print_grid(layout.columns, map(layout.cells, page), file)
    print_lines(_after_rows(report, layout, count), file)
    if report.totals:
        print_grid(layout.total_columns, map(layout.total_cells, report.totals), file)
    return count


def archived_lines(archived: Iterable[ArchivedMonth]) -> Iterator[str]:
    """Write that months of what was asked for are archived, and in which files their rows are."""
    for one in archived:
        yield f"not whole: {one.month} is archived; the rest is in"
        yield from (f"  {file}" for file in one.files)


def _after_rows(report: Report, layout: Layout, printed: int) -> Iterator[str]:
    """Write the lines between rows and totals: the number of rows not printed, or that nothing happened."""
    if report.count > printed:
        yield f"and {report.count - printed} more"
    yield "" if report.count else f"{NO_ACTIVITY}: {layout.empty(report.head.selection)}"


def _round(item: ReportRound) -> tuple[object, ...]:
    return (
        item.partner,
        item.market,
        item.round_id,
        moment(item.opened_at),
        item.outcome,
        moment(item.cancelled_at),
        display_money(item.amount, item.currency),
        display_money(item.stake, item.stake_currency),
        display_amounts_in("; ".join(item.discrepancies)),
    )


def _total(item: Total) -> tuple[object, ...]:
    sums = (padded_decimal(amount, item.currency) for amount in (item.amount, item.stake))
    return item.market, item.outcome, item.currency or UNKNOWN, item.count, *sums


def _pending_round(item: PendingRound) -> tuple[object, ...]:
    return (
        item.partner,
        item.market,
        item.round_id,
        moment(item.opened_at),
        moment(item.stale_at),
        item.outcome,
        moment(item.ended_at),
        display_money(item.stake, item.stake_currency),
        item.note,
    )


def _pending_total(item: PendingTotal) -> tuple[object, ...]:
    counts = (item.at_begin, item.became_stale, item.completed, item.cancelled, item.gone, item.at_end)
    stakes = (padded_decimal(stake, item.currency) for stake in (item.at_begin_stake, item.at_end_stake))
    return item.market or UNKNOWN, item.currency or UNKNOWN, *counts, *stakes, item.left_out


def _decision(item: Decision) -> tuple[object, ...]:
    login = "" if item.login in {None, item.by} else f" ({item.login})"
    about = f"{item.subject} {item.subject_id}" if item.subject else ""
    return moment(item.at), item.decision, f"{item.by or UNKNOWN}{login}", about, item.words, item.detail


def _decision_total(item: DecisionTotal) -> tuple[object, ...]:
    return item.decision, item.by or UNKNOWN, item.count


def _refund(item: RoundRefund) -> tuple[object, ...]:
    return (
        item.partner,
        item.market,
        item.round_id,
        item.outcome,
        moment(item.cancelled_at),
        display_money(item.amount, item.currency),
        display_money(item.seen_amount, item.seen_currency),
        item.seen_count,
        moment(item.seen_at),
        item.verdict,
    )


def _refund_total(item: RefundTotal) -> tuple[object, ...]:
    sums = (
        None if amount is None else padded_decimal(amount, item.currency)
        for amount in (item.amount, item.seen_amount, item.difference)
    )
    verdicts = (item.seen, item.awaited, item.missing, item.differs, item.twice, item.not_promised, item.unknown)
    return item.market, item.currency or UNKNOWN, item.count, *sums, *verdicts


LAYOUTS: Mapping[Kind, Layout] = {
    Kind.CANCELLED: Layout(
        columns=(
            Column("partner", 4),
            Column("market", 2),
            Column("round"),
            Column("opened", 5),
            Column("outcome", 3),
            Column("cancelled", 4),
            Column("refund", 1, right=True),
            Column("stake", 1, right=True),
            Column("discrepancies", prose=True),
        ),
        cells=_round,
        total_columns=(
            Column("market"),
            Column("outcome"),
            Column("currency"),
            Column("rounds", right=True),
            Column("refund", right=True),
            Column("stake", right=True),
        ),
        total_cells=_total,
        empty=lambda selection: f"no rounds were {'settled' if selection.all_outcomes else 'cancelled'} in this period",
    ),
    Kind.PENDING: Layout(
        columns=(
            Column("partner", 4),
            Column("market", 2),
            Column("round"),
            Column("opened", 5),
            Column("stale", 3),
            Column("outcome", 3),
            Column("ended", 4),
            Column("stake", 1, right=True),
            Column("note", prose=True),
        ),
        cells=_pending_round,
        total_columns=(
            Column("market"),
            Column("currency"),
            Column("at begin", right=True),
            Column("became stale", right=True),
            Column("completed", right=True),
            Column("cancelled", right=True),
            Column("gone", right=True),
            Column("at end", right=True),
            Column("stake at begin", right=True),
            Column("stake at end", right=True),
            Column("left out", right=True),
        ),
        total_cells=_pending_total,
        empty=lambda _: "no rounds were open and stale in this period",
    ),
    Kind.DECISIONS: Layout(
        columns=(
            Column("at", 4),
            Column("decision", 2),
            Column("by", 1),
            Column("about"),
            Column("words", prose=True),
            Column("detail", prose=True),
        ),
        cells=_decision,
        total_columns=(Column("decision"), Column("by"), Column("count", right=True)),
        total_cells=_decision_total,
        empty=lambda _: "no person decided anything in this period",
    ),
    Kind.REFUNDS: Layout(
        columns=(
            Column("partner", 4),
            Column("market", 2),
            Column("round"),
            Column("outcome", 5),
            Column("cancelled", 3),
            Column("promised", 1, right=True),
            Column("seen", 1, right=True),
            Column("refunds", 6, right=True),
            Column("first seen", 4),
            Column("verdict"),
        ),
        cells=_refund,
        total_columns=(
            Column("market"),
            Column("currency"),
            Column("rounds", right=True),
            Column("promised", right=True),
            Column("seen", right=True),
            Column("difference", right=True),
            *(Column(verdict, right=True) for verdict in ("fitting", "awaited", "missing", "differing", "twice")),
            Column("not promised", right=True),
            Column("unknown", right=True),
        ),
        total_cells=_refund_total,
        empty=lambda _: "no rounds were cancelled in this period",
    ),
}
"""For each kind: its layout."""
