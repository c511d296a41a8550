"""The XLSX file of a report, read back by other programs."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import openpyxl
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.utils.escape import unescape
from support.reports import ROUND, output_to, report_of
from xlsxwriter.worksheet import Worksheet

from retention.render.output import whole_file
from retention.render.xlsx_file import CELL_UNITS, CUT, TextSheet, cell_text, escaped, write_xlsx
from retention.reports.kinds.cancelled import Total
from retention.reports.report import Kind, Report, Selection, columns_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SOFFICE = shutil.which("soffice")

HOSTILE = (
    *("=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\uff1d1", "000123", "1" * 36, "1e5", "TRUE", "2025-03-05"),
    *(
        '"quoted"',
        "'quoted",
        "a,b;c\td",
        " blanks ",
        "two\nlines",
        "two\r\nlines",
        "\x00\x01\x0b\x1f\x7f\x85",
        "\ufffe\uffff",
    ),
    *("<script>alert(1)</script>", "<r>red</r>", "<r><t>x</t></r>", "&amp;", "]]>", "http://a.example", "{=1}"),
    *(
        "\u202eabc",
        "\u05e9\u05dc\u05d5\u05dd",
        "\U0001f3b0",
        "_x000D_",
        "_x005F_x0000_",
        "_x0041\x00",
        "_x_x0041_",
        "\ufeffx",
    ),
)
TOTAL = Total("MT", "cancelled", "EUR", 3, Decimal("99999999999999999999.000000000000000001"), Decimal("12.500"))


def sheet_rows(workbook: Any, name: str) -> list[dict[str, Any]]:
    """Read a sheet as objects. Texts are decoded as XLSX says, which openpyxl leaves to its caller."""
    header, *rows = ([unescape(v) if isinstance(v, str) else v for v in row] for row in workbook[name].values)
    return [dict(zip(header, row, strict=True)) for row in rows]


def names_in(folder: Path) -> list[str]:
    """List a folder."""
    return [path.name for path in folder.iterdir()]


async def written(report: Report, **options: int) -> Any:
    """Write a report, and open it."""
    file = io.BytesIO()
    await write_xlsx(report, output_to(file), **options)
    return openpyxl.load_workbook(io.BytesIO(file.getvalue()))


async def test_a_workbook_holds_the_report() -> None:
    """Facts, totals and rounds have a sheet each; amounts are exact texts, with numbers for sums at the end."""
    item = replace(ROUND, amount=Decimal("99999999999999999999.000000000000000001"), discrepancies=("one", "two"))
    workbook = await written(report_of(item, replace(item, amount=None), totals=(TOTAL,)))
    facts = {row["name"]: row["value"] for row in sheet_rows(workbook, "Report")}
    first, second = sheet_rows(workbook, "Rounds")

    assert ["Report", "Totals", "Rounds"] == workbook.sheetnames
    assert (str(UUID(int=9)), "cancelled", "UTC") == (facts["report_id"], facts["kind"], facts["timezone"])
    assert '{"size": 17, "root": "+a root"}' == facts["checkpoint"]
    assert "retention audit verify --anchors FILE" in facts["to verify"]
    assert facts["no_activity"] is None
    assert ("99999999999999999999.000000000000000001", 1e20) == (first["amount"], first["amount_number"])
    assert ("12.5", 12.5) == (first["stake"], first["stake_number"])
    assert (None, None) == (second["amount"], second["amount_number"])
    assert "one; two" == first["discrepancies"]
    assert ("2025-03-05T03:00:00Z", str(UUID(int=1))) == (first["cancelled_at"], first["uuid"])
    assert [
        {
            "market": "MT",
            "outcome": "cancelled",
            "currency": "EUR",
            "count": 3,
            "amount": "99999999999999999999.000000000000000001",
            "stake": "12.5",
            "amount_number": 1e20,
            "stake_number": 12.5,
        }
    ] == sheet_rows(workbook, "Totals")


async def test_a_workbook_is_ready_to_be_read_and_printed() -> None:
    """Headers are bold and frozen, rows are filtered, ids are texts, and the title names the report, not a login."""
    workbook = await written(report_of(ROUND, ROUND))
    rounds = workbook["Rounds"]

    assert "A2" == rounds.freeze_panes
    assert "A1:AE3" == rounds.auto_filter.ref
    assert rounds["A1"].font.bold
    assert ("s", "@") == (
        rounds["E2"].data_type if rounds["E2"].data_type != "inlineStr" else "s",
        rounds["E2"].number_format,
    )
    assert ("landscape", True, 0) == (
        rounds.page_setup.orientation,
        rounds.sheet_properties.pageSetUpPr.fitToPage,
        rounds.page_setup.fitToHeight,
    )
    assert f"cancelled report {UUID(int=9)}" == workbook.properties.title
    assert "retention 0.0.0" == workbook.properties.creator


async def test_an_empty_workbook_says_so() -> None:
    """A report without a round has the words, and its header alone."""
    workbook = await written(report_of())

    assert {"name": "no_activity", "value": "no activity"} in sheet_rows(workbook, "Report")
    assert [] == sheet_rows(workbook, "Rounds") == sheet_rows(workbook, "Totals")


async def test_more_rows_than_a_sheet_go_on_on_the_next() -> None:
    """Each sheet has the header and its share of the rows; no row is lost."""
    rounds = [replace(ROUND, round_id=str(number)) for number in range(7)]
    workbook = await written(report_of(*rounds), sheet_rows=3)
    found = [[row["round_id"] for row in sheet_rows(workbook, name)] for name in ("Rounds", "Rounds 2", "Rounds 3")]

    assert [["0", "1", "2"], ["3", "4", "5"], ["6"]] == found
    assert ["Report", "Totals", "Rounds", "Rounds 2"] == (
        await written(report_of(*rounds[:6]), sheet_rows=3)
    ).sheetnames


@dataclass(frozen=True, slots=True)
class _Decision:
    note: str
    times: int | None
    final: bool | None
    amount: Decimal | None


async def test_counts_and_flags_have_their_own_cells() -> None:
    """Counts are numbers, flags are booleans, and an amount that is no number has no cell for sums."""

    async def rows() -> AsyncIterator[_Decision]:
        yield _Decision("yes", 3, final=True, amount=Decimal("NaN"))
        yield _Decision("no", None, final=None, amount=Decimal("1e400"))

    report = report_of(selection=Selection(kind=Kind.DECISIONS))
    workbook = await written(replace(report, rows=rows(), columns=columns_of(_Decision), count=2))

    assert [("yes", 3, True, "NaN", None), ("no", None, None, f"1{'0' * 400}", None)] == [
        tuple(row.values()) for row in sheet_rows(workbook, "Decisions")
    ]


async def test_hostile_texts_come_back() -> None:
    """Texts that look like formulas, numbers, markup or escapes are read back by openpyxl as they were."""
    workbook = await written(report_of(*(replace(ROUND, round_id=text, reason=text) for text in HOSTILE)))
    found = sheet_rows(workbook, "Rounds")

    assert [(text, text) for text in HOSTILE] == [(row["round_id"], row["reason"]) for row in found]
    assert {"inlineStr", "s"} >= {row[4].data_type for row in workbook["Rounds"].iter_rows(min_row=2)}


@pytest.mark.skipif(SOFFICE is None, reason="LibreOffice is not installed")
async def test_libreoffice_reads_the_same_texts(tmp_path: Path) -> None:
    """LibreOffice reads every hostile text as it was, and keeps each amount to its last digit."""
    amount = Decimal("12345678901234567890.123456789012345678")
    path = tmp_path / "report.xlsx"
    with whole_file(path) as output:
        rounds = (replace(ROUND, round_id=text, reason=text, amount=amount) for text in HOSTILE)
        await write_xlsx(report_of(*rounds), output)
    into = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,false,false,false,false,-1"
    profile = f"-env:UserInstallation=file://{tmp_path}/profile"
    command = [str(SOFFICE), profile, "--headless", "--convert-to", into, "--outdir", str(tmp_path), str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)  # noqa: ASYNC221
    with (tmp_path / "report-Rounds.csv").open(encoding="utf-8", newline="") as file:
        found = [*csv.DictReader(file)]

    # It writes line ends of its own, and a text file of its own cannot hold U+0000, U+FFFE and U+FFFF.
    assert [text for text in HOSTILE if text.isprintable()] == [
        row["round_id"] for row, text in zip(found, HOSTILE, strict=True) if text.isprintable()
    ]
    assert {str(amount)} == {row["amount"] for row in found}


@given(st.text(st.sampled_from("_x0041DF\x00\r\ufffe<r>/")) | st.text())
def test_any_text_can_be_decoded(text: str) -> None:
    """An escaped text is legal XML, and decodes to itself."""
    found = escaped(text)

    assert text == unescape(found)
    assert not set(found) & {*map(chr, range(9)), *map(chr, range(11, 32)), "\ufffe", "\uffff"}


@given(st.lists(st.text(st.characters(codec="utf-8")), min_size=1, max_size=5))
@settings(max_examples=25)
async def test_any_text_survives_a_workbook(words: list[str]) -> None:
    """Texts of any characters come back from the file unchanged."""
    workbook = await written(report_of(*(replace(ROUND, round_id=f".{word}.") for word in words)))
    assert [f".{word}." for word in words] == [row["round_id"] for row in sheet_rows(workbook, "Rounds")]


@pytest.mark.parametrize("sign", ["a", "\U0001f3b0"])
async def test_a_text_longer_than_a_cell_is_cut_with_a_mark(sign: str) -> None:
    """A cell takes 32,767 UTF-16 units: a longer text ends with a mark, also in the middle of an emoji."""
    fits, longer = "a" * CELL_UNITS, sign * (CELL_UNITS + 1)
    workbook = await written(report_of(*(replace(ROUND, reason=text) for text in (fits, longer))))
    first, second = (row["reason"] for row in sheet_rows(workbook, "Rounds"))

    assert fits == first
    assert second.endswith(CUT)
    assert longer.startswith(second.removesuffix(CUT))
    assert CELL_UNITS - 1 <= len(second.encode("utf-16-le")) // 2 <= CELL_UNITS
    assert second == cell_text(longer)


def test_xlsxwriter_has_the_parts_that_are_replaced() -> None:
    """A new version without the undocumented parts fails here, by their names."""
    replaced = {name for name in vars(TextSheet) if not name.startswith("__")}
    assert replaced == {"_escape_control_characters", "_xml_rich_inline_string"}
    assert replaced | {"_opt_close", "_xml_inline_string"} <= {*dir(Worksheet)}
    assert "fileclosed" in vars(xlsxwriter.Workbook())


async def test_nothing_is_left_of_a_report_that_fails(tmp_path: Path) -> None:
    """When a row cannot be read, neither the file nor a temporary one stays."""

    async def rows() -> AsyncIterator[object]:
        yield ROUND
        assert any(name.startswith(".report.") for name in names_in(tmp_path))
        raise ConnectionError

    with pytest.raises(ConnectionError), whole_file(tmp_path / "report.xlsx") as output:
        await write_xlsx(replace(report_of(), rows=rows()), output)
    assert [] == names_in(tmp_path)


async def test_a_finished_report_stands_alone(tmp_path: Path) -> None:
    """A finished file has no temporary one beside it."""
    with whole_file(tmp_path / "report.xlsx") as output:
        assert 1 == await write_xlsx(report_of(ROUND), output)
    assert ["report.xlsx"] == names_in(tmp_path)


async def test_a_full_disk_is_an_error_of_the_disk() -> None:
    """A place without space raises OSError, as it does for every other format."""
    with open("/dev/full", "wb", buffering=0) as full, pytest.raises(OSError, match="No space"):  # noqa: ASYNC230, PTH123
        await write_xlsx(report_of(ROUND), output_to(full))
