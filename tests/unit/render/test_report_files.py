"""The CSV and JSON files of a report, without a database."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import reports

from retention.render.csv_file import cell, write_csv
from retention.render.json_file import to_json, write_json
from retention.reports.kinds.cancelled import ReportRound, Total
from retention.reports.report import Report, Selection, columns_of

AT = datetime(2025, 3, 5, 3, 0, 0, 250_000, tzinfo=UTC)
ROUND = replace(
    reports.ROUND,
    opened_at=AT - timedelta(days=4),
    cancelled_at=AT,
    amount=Decimal("0.000000000000000001"),
    reason='a "reason", long\nand broken',
    discrepancies=("amount 0.000000000000000001 EUR, stake 12.5 EUR", "another"),
)
TOTAL = Total("MT", "cancelled", "EUR", 1, Decimal("0.000000000000000001"), Decimal("12.500"))
COLUMNS = [column.name for column in columns_of(ReportRound)]
ENDING = ["report_id", "kind", "period", "timezone", "checkpoint_size", "checkpoint_root", "software"]
HEAD = [
    *("report_id", "kind", "period", "timezone", "from", "to", "markets", "policies", "run_id", "dry_run"),
    *(
        "all_outcomes",
        "pseudonymised",
        "generated_at",
        "generated_by",
        "software",
        "checkpoint",
        "archived",
        "no_activity",
        "count",
        "rounds",
    ),
    "totals",
]
SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20"


async def as_json(report: Report) -> tuple[int, dict[str, object]]:
    file = io.StringIO()
    return await write_json(report, reports.output_to(file)), json.loads(file.getvalue())


async def as_csv(report: Report) -> tuple[int, str]:
    file = io.StringIO(newline="")
    return await write_csv(report, reports.output_to(file)), file.getvalue()


async def test_json_has_the_contracts_names_and_forms() -> None:
    """Keys are in the contract's order, amounts are decimal strings, times are in UTC, and unknown values are null."""
    selection = Selection(start=AT - timedelta(days=1))
    count, document = await as_json(reports.report_of(ROUND, ROUND, totals=(TOTAL,), selection=selection))
    expected = {
        "partner": "acme",
        "market": "MT",
        "game_id": None,
        "user_id": "U-1",
        "round_id": "R-1",
        "opened_at": "2025-03-01T03:00:00.250000Z",
        "outcome": "cancelled",
        "cancelled_at": "2025-03-05T03:00:00.250000Z",
        "currency": "EUR",
        "amount": "0.000000000000000001",
        "stake_currency": "EUR",
        "stake": "12.5",
        "transaction_id": "T1",
        "uuid": "00000000-0000-0000-0000-000000000001",
        "run_id": "00000000-0000-0000-0000-000000000002",
        "policy": "nightly",
        "trigger": "on_demand",
        "requested_by": "ann",
        "reason": 'a "reason", long\nand broken',
        "evidence": None,
        "approved_by": None,
        "discrepancies": ["amount 0.000000000000000001 EUR, stake 12.5 EUR", "another"],
        "last_activity_at": None,
        "winnings": None,
        "refund_seen": None,
        "refund_seen_at": None,
        "plan_digest": None,
    }
    total = {"market": "MT", "outcome": "cancelled", "currency": "EUR", "count": 1}

    assert 2 == count
    assert HEAD == list(document)
    assert {"size": 17, "root": "+a root"} == document["checkpoint"]
    assert ("2025-03-04T03:00:00.250000Z", None, "2025-03-05T03:00:00Z") == (
        document["from"],
        document["to"],
        document["generated_at"],
    )
    assert [expected, expected] == document["rounds"]
    assert list(COLUMNS) == list(expected)
    assert [{**total, "amount": "0.000000000000000001", "stake": "12.5"}] == document["totals"]


async def test_csv_has_the_same_columns() -> None:
    """CSV has a header, CRLF line ends, quotes where a cell needs them, and empty cells for unknown values."""
    count, text = await as_csv(reports.report_of(ROUND, ROUND))
    header, first, second = csv.reader(io.StringIO(text, newline=""), strict=True)

    assert 2 == count
    assert [*COLUMNS, *ENDING] == header
    assert first == second
    row = dict(zip(header, first, strict=True))
    assert ("", 'a "reason", long\nand broken', "12.5") == (row["game_id"], row["reason"], row["stake"])
    assert "amount 0.000000000000000001 EUR, stake 12.5 EUR; another" == row["discrepancies"]
    assert ("17", "'+a root") == (row["checkpoint_size"], row["checkpoint_root"])
    assert text.startswith(",".join(header) + "\r\n")
    assert ',"a ""reason"", long\nand broken",' in text
    assert text.endswith("\r\n")


async def test_an_empty_period_gives_empty_files() -> None:
    """JSON has empty lists and CSV has its header alone."""
    count, document = await as_json(reports.report_of())

    assert (0, [], []) == (count, document["rounds"], document["totals"])
    expected = ",".join([*COLUMNS, *ENDING]) + "\r\n"
    assert (0, expected) == await as_csv(reports.report_of())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        (Decimal("-1.50"), "'-1.5"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("  =1", "'  =1"),
        ("\u00a0\uff1d1", "'\u00a0\uff1d1"),
        ("0", "0"),
        (Decimal("100.0"), "100"),
        ("12.5", "12.5"),
        ("a=1", "a=1"),
        ("R-1", "R-1"),
        (None, ""),
        (AT, "2025-03-05T03:00:00.250000Z"),
        (("=a", "b"), "'=a; b"),
    ],
)
def test_a_formula_in_csv_gets_an_apostrophe(value: object, text: str) -> None:
    """A cell that a spreadsheet would run gets an apostrophe; any other cell, above all a number, stays as it is."""
    assert text == cell(value)


@given(st.text(st.sampled_from(SIGNS + " \t\r\n\x0b'\"0a")) | st.text())
def test_no_cell_is_ever_run(text: str) -> None:
    """No cell begins as a formula does, even after blanks, and the cell's text is kept."""
    written = cell(text)

    assert written in {text, f"'{text}"}
    assert not written.lstrip().startswith(tuple(SIGNS))
    assert not written.startswith(("\t", "\r", "\n"))


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=3, max_size=3))
async def test_any_text_survives_csv(words: list[str]) -> None:
    """Quotes, commas and all line ends come back from a CSV file unchanged."""
    user, number, reason = words
    item = replace(ROUND, user_id=user, round_id=number, reason=reason)
    _, text = await as_csv(reports.report_of(item))
    header, row = csv.reader(io.StringIO(text, newline=""), strict=True)

    assert [cell(user), cell(number), cell(reason)] == [
        row[header.index(name)] for name in ("user_id", "round_id", "reason")
    ]


def test_a_document_of_any_shape_becomes_json() -> None:
    """Dataclasses and mappings become JSON objects at any depth, and an unknown type raises TypeError."""
    document = {"totals": [TOTAL], "refunds": MappingProxyType({"EUR": Decimal("1.50")}), "at": AT, "run": UUID(int=2)}
    found = json.loads(to_json(document))

    assert {"EUR": "1.5"} == found["refunds"]
    assert "12.5" == found["totals"][0]["stake"]
    assert ("2025-03-05T03:00:00.250000Z", "00000000-0000-0000-0000-000000000002") == (found["at"], found["run"])
    with pytest.raises(TypeError, match="object is no JSON"):
        to_json(object())
