"""Tables and lines as a terminal and a program get them."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from support import reports
from support.runs import RECORD

from retention.core.model import ReviewWhy, State
from retention.core.planning.holds import Hold
from retention.core.runs.summary import Summary
from retention.core.text import printable
from retention.ledger.review import ReviewItem
from retention.render import terminal_lists as table
from retention.render.json_file import row_objects
from retention.render.terminal_report import print_report
from retention.render.terminal_runs import print_record
from retention.reports.kinds.cancelled import Total
from retention.reports.report import Report, Selection
from retention.reports.run_view import record_document

AT = datetime(2025, 3, 5, 3, tzinfo=UTC)
LONG = "so long that any terminal would have to break it " * 20
ROUND = replace(reports.ROUND, opened_at=AT, stake=None, discrepancies=(LONG,))
TOTAL = Total("MT", "cancelled", "EUR", 2500, Decimal("31250.000"), Decimal(0))
HOLD = Hold(3, "acme", None, None, None, "[bold]R-1", "complaint", "ann", AT, None, None, None)
ITEM = ReviewItem(
    id=12,
    run_id=UUID(int=2),
    partner="acme",
    market="MT",
    round_id="R-1",
    state="rejected",
    policy="nightly",
    why=(ReviewWhy.REJECTED,),
    reasons=("rejected by the vendor", "given up"),
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
    """A terminal whose width COLUMNS gives."""

    def isatty(self) -> bool:
        return True


def report(rounds: int, *totals: Total, selection: Selection | None = None) -> Report:
    """Make a report of equal rounds, numbered from 0."""
    numbered = (replace(ROUND, round_id=f"R-{number}") for number in range(rounds))
    return reports.report_of(*numbered, totals=totals, selection=selection)


async def printed(found: Report, limit: int | None = None) -> tuple[int, list[str]]:
    """Print a report; return the number of rounds and the lines without trailing blanks."""
    file = io.StringIO()
    count = await print_report(found, file, limit=limit)
    return count, [line.rstrip() for line in file.getvalue().splitlines()]


async def test_a_pipe_gets_unbroken_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal, a table is laid out for 80 columns and no text in it is broken, however long."""
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


async def test_a_terminal_wraps_long_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal no line is wider than the terminal, and the rest of a long text follows below."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "dumb")
    file = Terminal()
    await print_report(report(1, replace(TOTAL, count=1)), file)
    lines = file.getvalue().splitlines()

    assert 100 >= max(map(len, lines))
    assert LONG.split().count("terminal") == file.getvalue().count("terminal")


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        (Selection(), "no activity: no rounds were cancelled in this period"),
        (Selection(all_outcomes=True), "no activity: no rounds were settled in this period"),
    ],
)
async def test_an_empty_report_prints_a_sentence(selection: Selection, words: str) -> None:
    """An empty report prints a sentence instead of an empty table."""
    assert (0, [words]) == await printed(report(0, selection=selection))


async def test_a_long_report_is_printed_in_pages() -> None:
    """Each round is printed once, each page has a header, and the totals follow once at the end."""
    count, lines = await printed(report(2500, TOTAL))

    assert 2500 == count
    assert 2500 == sum(line.startswith("acme") for line in lines)
    assert 3 == sum(line.startswith("partner") for line in lines)
    assert ["MT", "cancelled", "EUR", "2500", "31250.00", "0.00"] == lines[-1].split()


async def test_a_report_with_a_limit_counts_the_rest() -> None:
    """With a limit the first rounds are printed, and then the number of the others."""
    count, lines = await printed(report(5, replace(TOTAL, count=5)), limit=2)

    assert 2 == count
    assert 2 == sum(line.startswith("acme") for line in lines)
    assert "and 3 more" in lines


def test_markup_in_foreign_text_is_printed_as_text() -> None:
    """A vendor's markup, terminal commands and line ends are printed as text, and never obeyed."""
    holds, reviews = io.StringIO(), io.StringIO()
    table.print_holds([HOLD], holds)
    table.print_reviews([ITEM], reviews)

    assert "[bold]R-1" in holds.getvalue()
    assert "code 99, Round \\x1b[31mnot found" in reviews.getvalue()
    assert "rejected by the vendor; given up" in reviews.getvalue()
    assert "1.50 EUR" in reviews.getvalue()
    assert "a\\nb\\u202ec ä" == printable("a\nb\u202ec ä")


def test_an_empty_list_prints_a_sentence() -> None:
    """Each empty list prints a sentence of its own."""
    for show, words in (
        (table.print_holds, "no holds"),
        (table.print_reviews, "nothing needs a person"),
        (lambda rows, out: table.print_runs(rows, {}, out), "no runs"),
    ):
        file = io.StringIO()
        show([], file)
        assert f"{words}\n" == file.getvalue()


def test_rows_become_json_objects() -> None:
    """A row of any kind becomes an object with its columns' names."""
    assert {"hold_id": 3, "round_id": "[bold]R-1"} == {
        name: value for name, value in row_objects([HOLD])[0].items() if name in {"hold_id", "round_id"}
    }
    assert ("rejected by the vendor", "given up") == row_objects([ITEM])[0]["reasons"]


def test_runs_show_prints_one_value_per_line() -> None:
    """Each known value of a run has a line with its name, and unknown values have none."""
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
        "requested login: retention_job",
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
