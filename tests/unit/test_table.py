"""Tables and lines as people get them."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from support.runs import RECORD

from retention.core.model import State
from retention.core.planning.holds import Hold
from retention.core.runs.summary import Summary
from retention.core.text import printable
from retention.ledger.pauses import Pause
from retention.ledger.review import ReviewItem
from retention.render import terminal_lists as table
from retention.render.json_file import row_objects
from retention.render.terminal_runs import print_record
from retention.reports.report import Report, ReportRound, Selection, Total
from retention.reports.run_view import record_document

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

AT = datetime(2025, 3, 5, 3, tzinfo=UTC)
LONG = "so long that any terminal would have to break it " * 20
ROUND = ReportRound(
    partner="acme",
    market="MT",
    game_id=None,
    user_id="U-1",
    round_id="R-1",
    opened_at=AT,
    outcome="cancelled",
    cancelled_at=AT,
    currency="EUR",
    amount=Decimal("12.500"),
    stake_currency="EUR",
    stake=None,
    transaction_id="T1",
    uuid=None,
    run_id=UUID(int=2),
    policy="nightly",
    trigger="on_demand",
    requested_by="ann",
    reason=None,
    evidence=None,
    approved_by=None,
    discrepancies=(LONG,),
)
TOTAL = Total("MT", "cancelled", "EUR", 2500, Decimal("31250.000"), Decimal(0))
HOLD = Hold(3, "acme", None, None, None, "[bold]R-1", "complaint", "ann", AT, None, None, None)
ITEM = ReviewItem(
    id=12,
    run_id=UUID(int=2),
    partner="acme",
    market="MT",
    round_id="R-1",
    state="rejected",
    why=("rejected by the vendor", "given up"),
    error_code="99",
    description="Round \x1b[31mnot found",
    amount=None,
    currency=None,
    stake=Decimal("1.50"),
    stake_currency="EUR",
    transaction_id=None,
    bet_transaction_id=None,
    detail=None,
    settled_at=AT,
)


class Terminal(io.StringIO):
    """A terminal, of the width that COLUMNS tells."""

    def isatty(self) -> bool:
        return True


def report(rounds: int, *totals: Total, selection: Selection | None = None) -> Report:
    """Make a report of so many rounds that are alike but for their number."""

    async def numbered() -> AsyncIterator[ReportRound]:
        for number in range(rounds):
            yield replace(ROUND, round_id=f"R-{number}")

    return Report(selection or Selection(), AT, totals, numbered())


async def printed(found: Report, limit: int | None = None) -> tuple[int, list[str]]:
    """Print a report to a file, and tell how many rounds and which lines, without the blanks at their ends."""
    file = io.StringIO()
    count = await table.print_report(found, file, limit=limit)
    return count, [line.rstrip() for line in file.getvalue().splitlines()]


async def test_a_program_gets_whole_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where stdout is no terminal, a table is laid out for 80 columns, and no text in it is broken, however long."""
    monkeypatch.delenv("COLUMNS", raising=False)
    count, lines = await printed(report(1, replace(TOTAL, count=1)))
    header, row, times, words, blank, _, total = lines

    assert 1 == count
    assert ["partner", "market", "round", "outcome", "cancelled", "refund", "stake"] == header.split()
    assert [
        "acme",
        "MT",
        "R-0",
        "cancelled",
        "2025-03-05",
        "03:00:00Z",
        "12.50",
        "EUR",
        "unknown",
        "EUR",
    ] == row.split()
    assert "    opened: 2025-03-05 03:00:00Z" == times
    assert f"    discrepancies: {LONG.rstrip()}" == words
    assert "" == blank
    assert ["MT", "cancelled", "EUR", "1", "31250.00", "0.00"] == total.split()


async def test_a_terminal_breaks_lines_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal no line is wider than it is, and what does not fit goes on below."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "dumb")
    file = Terminal()
    await table.print_report(report(1, replace(TOTAL, count=1)), file)
    lines = file.getvalue().splitlines()

    assert 100 >= max(map(len, lines))
    assert LONG.split().count("terminal") == file.getvalue().count("terminal")


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        (Selection(), "no rounds were cancelled in this period"),
        (Selection(all_outcomes=True), "no rounds were settled in this period"),
    ],
)
async def test_an_empty_period_says_so(selection: Selection, words: str) -> None:
    """Nothing is said in words, not by an empty table."""
    assert (0, [words]) == await printed(report(0, selection=selection))


async def test_a_long_report_comes_in_pages() -> None:
    """Every round is printed once, with a header to each page, and the totals once at the end."""
    count, lines = await printed(report(2500, TOTAL))

    assert 2500 == count
    assert 2500 == sum(line.startswith("acme") for line in lines)
    assert 3 == sum(line.startswith("partner") for line in lines)
    assert ["MT", "cancelled", "EUR", "2500", "31250.00", "0.00"] == lines[-1].split()


async def test_a_report_can_be_cut_short() -> None:
    """With a limit the first rounds are printed, and how many more there are is said."""
    count, lines = await printed(report(5, replace(TOTAL, count=5)), limit=2)

    assert 2 == count
    assert 2 == sum(line.startswith("acme") for line in lines)
    assert "and 3 more" in lines


def test_what_others_wrote_is_only_text() -> None:
    """Neither markup, nor a terminal's commands, nor a line's end in a vendor's words are obeyed."""
    holds, reviews = io.StringIO(), io.StringIO()
    table.print_holds([HOLD], holds)
    table.print_reviews([ITEM], reviews)

    assert "[bold]R-1" in holds.getvalue()
    assert "code 99, Round \\x1b[31mnot found" in reviews.getvalue()
    assert "rejected by the vendor; given up" in reviews.getvalue()
    assert "1.50 EUR" in reviews.getvalue()
    assert "a\\nb\\u202ec ä" == printable("a\nb\u202ec ä")


def test_empty_lists_say_so() -> None:
    """Each list has its own words for having nothing to tell."""
    for show, words in (
        (table.print_holds, "no holds"),
        (table.print_pauses, "nobody is paused"),
        (table.print_reviews, "nothing needs a person"),
        (lambda rows, out: table.print_runs(rows, {}, out), "no runs"),
    ):
        file = io.StringIO()
        show([], file)
        assert f"{words}\n" == file.getvalue()


def test_pauses_are_told_with_who_and_why() -> None:
    """A pause of all partners is told as such."""
    file = io.StringIO()
    table.print_pauses([Pause(1, None, "incident 4", "ann", AT)], file)

    assert "all incident 4 ann 2025-03-05 03:00:00Z" == " ".join(file.getvalue().splitlines()[1].split())


def test_documents_are_objects() -> None:
    """A row of any kind becomes an object with its columns' names."""
    assert {"hold_id": 3, "round_id": "[bold]R-1"} == {
        name: value for name, value in row_objects([HOLD])[0].items() if name in {"hold_id", "round_id"}
    }
    assert ("rejected by the vendor", "given up") == row_objects([ITEM])[0]["why"]


def test_a_run_is_told_line_by_line() -> None:
    """What a run is and came to is told by name; what there is nothing to tell of is left out."""
    run = replace(RECORD, status="halted", settings={"max_rounds": 5, "mode": "enforce"})
    states = {State.CANCELLED: 2}
    summary = Summary(run.run_id, "nightly", "enforce", "halted", None, states, refunds={"EUR": Decimal("2.50")})
    file = io.StringIO()
    print_record(record_document(run, summary), file)

    assert [
        "run id: 00000000-0000-0000-0000-000000000002",
        "policy: nightly",
        "trigger: on_demand",
        "mode: enforce",
        "as of: 2025-03-05 03:00:00Z",
        "requested by: ann",
        "status: halted",
        "started at: 2025-03-05 03:00:00Z",
        "progressed at: 2025-03-05 03:00:00Z",
        "rounds: 2",
        "states: cancelled 2",
        "conflicts: 0",
        "incomplete: 0",
        "discrepancies: 0",
        "refunds: 2.50 EUR",
        "settings:",
        "{",
        '  "max_rounds": 5,',
        '  "mode": "enforce"',
        "}",
    ] == file.getvalue().splitlines()
