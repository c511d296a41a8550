"""Reports and lists as people read them."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from retention.core.text import money_text
from retention.report.files import to_json
from retention.report.grid import print_grid, print_lines
from retention.report.life import lines
from retention.report.values import moment, money

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TextIO

    from retention.core.holds import Hold
    from retention.core.summary import Summary
    from retention.ledger.closer import Reclosed
    from retention.ledger.controls import Pause
    from retention.ledger.review import ReviewItem
    from retention.report.life import Life
    from retention.report.model import Report, ReportRound, Total

PAGE = 1000
"""Rounds to a table; a longer report is told in several, so that it never stands in memory as a whole."""

_ROUND = ("partner", "market", "round", "opened", "outcome", "cancelled", ">refund", ">stake", "discrepancies")
_TOTAL = ("market", "outcome", "currency", ">rounds", ">refund", ">stake")


async def print_report(report: Report, file: TextIO | None = None, *, limit: int | None = None) -> int:
    """Print a report's rounds, or the first `limit` of them, and its totals; returns how many rounds it printed."""
    count = 0
    page: list[ReportRound] = []
    async for item in report.rounds:
        if count == limit:
            break
        page.append(item)
        count += 1
        if len(page) == PAGE:
            print_grid(_ROUND, map(_round, page), file)
            page.clear()
    if page:
        print_grid(_ROUND, map(_round, page), file)
    print_lines(_rest(report, count), file)
    if report.totals:
        print_grid(_TOTAL, map(_total, report.totals), file)
    return count


def _round(item: ReportRound) -> tuple[object, ...]:
    return (
        item.partner,
        item.market,
        item.round_id,
        moment(item.opened_at),
        item.outcome,
        moment(item.cancelled_at),
        money_text(item.amount, item.currency),
        money_text(item.stake, item.stake_currency),
        "; ".join(item.discrepancies),
    )


def _total(item: Total) -> tuple[object, ...]:
    currency = item.currency or "unknown"
    return item.market, item.outcome, currency, item.count, money(item.amount), money(item.stake)


def _rest(report: Report, printed: int) -> Iterator[str]:
    """Tell what stands between rounds and totals."""
    rounds = sum(total.count for total in report.totals)
    if rounds > printed:
        yield f"and {rounds - printed} more"
    yield (
        "" if rounds else f"no rounds were {'settled' if report.selection.all_outcomes else 'cancelled'} in this period"
    )


def print_life(life: Life, file: TextIO | None = None) -> None:
    """Print what is known of a round and what was done to it."""
    print_lines(lines(life), file)


def print_holds(holds: Sequence[Hold], file: TextIO | None = None) -> None:
    """Print holds."""
    columns = ("hold", "partner", "market", "game", "user", "round", "reason", "by", "since", "until", "released")
    rows = [
        (
            hold.hold_id,
            hold.partner,
            hold.market,
            hold.game_id,
            hold.user_id,
            hold.round_id,
            hold.reason,
            hold.created_by,
            moment(hold.created_at),
            moment(hold.until),
            f"{moment(hold.released_at)} by {hold.released_by}" if hold.released_at else "",
        )
        for hold in holds
    ]
    _print_list(columns, rows, "no holds", file)


def print_pauses(pauses: Sequence[Pause], file: TextIO | None = None) -> None:
    """Print who is paused."""
    rows = [(pause.partner or "all", pause.reason, pause.paused_by, moment(pause.paused_at)) for pause in pauses]
    _print_list(("partner", "reason", "by", "since"), rows, "nobody is paused", file)


def print_reviews(items: Sequence[ReviewItem], file: TextIO | None = None) -> None:
    """Print what needs a person."""
    columns = ("id", "partner", "market", "round", "state", "why", "vendor", ">refund", ">stake", "settled", "run")
    rows = [
        (
            item.id,
            item.partner,
            item.market,
            item.round_id,
            item.state,
            "; ".join(item.why),
            ", ".join(filter(None, (item.error_code and f"code {item.error_code}", item.description, item.detail))),
            money_text(item.amount, item.currency),
            money_text(item.stake, item.stake_currency),
            moment(item.settled_at),
            item.run_id,
        )
        for item in items
    ]
    _print_list(columns, rows, "nothing needs a person", file)


def print_reclosed(items: Sequence[Reclosed], file: TextIO | None = None) -> None:
    """Print what came of closing rounds once more."""
    rows = [
        (
            item.id,
            item.partner,
            item.round_id,
            "closed" if item.closed else "still listed" if item.why else "not open any more",
            item.why,
        )
        for item in items
    ]
    _print_list(("id", "partner", "round", "result", "why"), rows, "nothing is left to close", file)


def print_runs(runs: Sequence[Any], file: TextIO | None = None) -> None:
    """Print runs with their counts, the rows of RunLedger.list."""
    columns = ("run", "policy", "trigger", "mode", "status", "as of", "by", ">rounds", "outcomes", "stopped by")
    rows = [
        (
            run.run_id,
            run.policy,
            run.trigger if run.scheduled_for is None else f"{run.trigger} {moment(run.scheduled_for)}",
            run.mode,
            run.status,
            moment(run.as_of),
            run.requested_by,
            run.rounds,
            ", ".join(f"{name} {count}" for name in _COUNTS if (count := getattr(run, name))),
            run.halt_reason,
        )
        for run in runs
    ]
    _print_list(columns, rows, "no runs", file)


_COUNTS = (
    "cancelled",
    "already_cancelled",
    "already_completed",
    "rejected",
    "in_doubt",
    "no_longer_open",
    "held",
    "not_sent",
    "resolved",
    "unfinished",
)


def print_run(run: Any, summary: Summary, file: TextIO | None = None) -> None:
    """Print one run, the row of RunLedger.get, and what it came to: a line for each thing that there is to tell."""
    told = ((name.replace("_", " "), _value(value)) for name, value in run_document(run, summary).items())
    print_lines((f"{name}: {words}" for name, words in told if words), file)


def run_document(run: Any, summary: Summary) -> dict[str, Any]:
    """Put one run, the row of RunLedger.get, together with what it came to."""
    return {
        **run._asdict(),
        "rounds": summary.rounds,
        "states": {state.value: count for state, count in summary.states.items()},
        "taken_up": {state.value: count for state, count in summary.taken_up.items()},
        "conflicts": summary.conflicts,
        "incomplete": summary.incomplete,
        "discrepancies": summary.discrepancies,
        "refunds": dict(summary.refunds),
    }


def _print_list(columns: Sequence[str], rows: Sequence[Sequence[object]], nothing: str, file: TextIO | None) -> None:
    """Print rows, or the words for there being none."""
    if rows:
        print_grid(columns, rows, file)
    else:
        print_lines([nothing], file)


def _value(value: Any) -> str:
    """Write one thing on one line; nothing for what is not there."""
    if value is None or value is False or value in ([], {}):
        return ""
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, dict) and all(isinstance(item, int | Decimal) for item in value.values()):
        return ", ".join(f"{name} {money(Decimal(item))}" for name, item in value.items())
    return " ".join(to_json(value).split()) if isinstance(value, dict | list) else str(value)


def documents(rows: Iterable[Any]) -> list[dict[str, Any]]:
    """Turn rows, named tuples or dataclasses, into what JSON has objects for."""
    return [
        row._asdict() if hasattr(row, "_asdict") else {field.name: getattr(row, field.name) for field in fields(row)}
        for row in rows
    ]
