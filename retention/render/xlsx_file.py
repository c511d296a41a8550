"""XLSX output: a report as a workbook, with its rows written one by one.

Texts, ids, times and exact amounts are cells of text, which a spreadsheet neither runs nor rounds. A number of a
spreadsheet has about 15 digits, so the exact text of an amount is the record, and a second column serves for sums.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from contextlib import asynccontextmanager
from datetime import UTC
from math import isfinite
from typing import TYPE_CHECKING, Any, BinaryIO

import xlsxwriter
from xlsxwriter.exceptions import FileCreateError
from xlsxwriter.worksheet import Worksheet

from retention.render.exact_values import exact_text
from retention.render.json_file import to_line
from retention.render.report_facts import report_facts
from retention.reports.report import Column, ColumnType, Kind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from retention.render.output import Output
    from retention.reports.report import Report

SHEET_ROWS = 1_048_575
"""Rows of a sheet below its header, at the most."""

CELL_UNITS = 32_767
"""UTF-16 units of a cell, at the most."""

CUT = " ... [cut: longer than a cell]"
"""The end of a text that no cell can hold."""

NUMBER = "_number"
"""The ending of a column that holds an amount as a number."""

_WIDTHS = {ColumnType.UUID: 38, ColumnType.TIME: 28, ColumnType.AMOUNT: 24, ColumnType.TEXTS: 40}
_WIDTH = 16
_PAPER_A4 = 9

_FORBIDDEN = r"\x00-\x08\x0b-\x1f\ufffe\uffff"
_ESCAPED = re.compile(rf"_(?=x[0-9a-fA-F]{{4}}(?:_|[{_FORBIDDEN}]))|[{_FORBIDDEN}]")


class TextSheet(Worksheet):  # type: ignore[misc]
    """A sheet that keeps any text. XlsxWriter alone misreads a text in <r> tags, and one like _x005F_x0000_."""

    @staticmethod
    def _escape_control_characters(text: Any) -> Any:
        return escaped(text) if isinstance(text, str) else text

    def _xml_rich_inline_string(self, text: str, attributes: Any) -> None:
        self._xml_inline_string(text, preserve=False, attributes=attributes)


def escaped(text: str) -> str:
    """Write the characters that XML forbids, and all that looks like their escape, as _xHHHH_."""
    return _ESCAPED.sub(lambda found: f"_x{ord(found[0]):04X}_", text)


def cell_text(value: Any) -> str:
    """Return the text of a cell: exact, and cut with a mark where a cell cannot hold it."""
    text = exact_text(value)
    if len(text) <= CELL_UNITS // 2 or _units(text) <= CELL_UNITS:
        return text
    kept = text.encode("utf-16-le")[: 2 * (CELL_UNITS - len(CUT))]
    return kept.decode("utf-16-le", "ignore") + CUT


async def write_xlsx(report: Report, output: Output, *, sheet_rows: int = SHEET_ROWS) -> int:
    """Write a report as an Office Open XML workbook; return the number of its rows.

    Raises OSError. `sheet_rows`: the rows of one sheet; the others follow on further sheets.
    """
    async with _workbook(output) as workbook:
        head = report.head
        workbook.set_properties(
            {
                "title": f"{head.selection.kind} report {head.report_id}",
                "author": head.software,
                "created": head.generated_at.astimezone(UTC).replace(tzinfo=None),
            }
        )
        if head.checkpoint is not None:
            workbook.set_custom_property("checkpoint", to_line(head.checkpoint.document()), "text")
        tables = _Tables(workbook)
        _write_facts(tables, report)
        totals = _Table(tables, "Totals", report.total_columns)
        for total in report.totals:
            totals.add(total)
        totals.finish()
        return await _write_rows(tables, report, sheet_rows)


async def _write_rows(tables: _Tables, report: Report, sheet_rows: int) -> int:
    name = "Decisions" if report.head.selection.kind is Kind.DECISIONS else "Rounds"
    table, count, sheets = _Table(tables, name, report.columns), 0, 1
    async for row in report.rows:
        if table.rows == sheet_rows:
            table.finish()
            sheets += 1
            table = _Table(tables, f"{name} {sheets}", report.columns)
        table.add(row)
        count += 1
    table.finish()
    return count


def _write_facts(tables: _Tables, report: Report) -> None:
    sheet = tables.sheet("Report")
    sheet.set_column(0, 0, 18, tables.text)
    sheet.set_column(1, 1, 100, tables.wrapped)
    sheet.write_row(0, 0, ("name", "value"), tables.header)
    for at, (name, value) in enumerate([*report_facts(report).items(), *_notes(report)], start=1):
        sheet.write_string(at, 0, name)
        if isinstance(value, dict):
            sheet.write_string(at, 1, to_line(value))
        elif value is not None:
            sheet.write_string(at, 1, cell_text(to_line(value) if isinstance(value, bool) else value))


def _notes(report: Report) -> Iterator[tuple[str, str]]:
    yield "to verify", "retention audit verify --anchors FILE compares the checkpoint of this file with the ledger."
    columns = (*report.columns, *report.total_columns)
    amounts = ", ".join(dict.fromkeys(column.name for column in columns if column.type is ColumnType.AMOUNT))
    if amounts:
        text = f"Exact amounts are texts, and they are the record: {amounts}. The columns at the end with names in"
        yield "amounts", f"{text} {NUMBER} are for sums: a spreadsheet keeps about 15 digits of a number."
    yield "times", "Times are texts in ISO 8601, in UTC."


class _Tables:
    """The sheets and the formats of a workbook."""

    def __init__(self, workbook: Any) -> None:
        self._workbook = workbook
        self.header = workbook.add_format({"bold": True, "bottom": 1, "num_format": "@"})
        self.text = workbook.add_format({"num_format": "@"})  # an edited cell stays a text
        self.wrapped = workbook.add_format({"num_format": "@", "text_wrap": True})

    def sheet(self, name: str) -> Any:
        """Add a sheet that prints one page wide, under a frozen header."""
        sheet = self._workbook.add_worksheet(name, TextSheet)
        sheet.freeze_panes(1, 0)
        sheet.repeat_rows(0)
        sheet.set_landscape()
        sheet.set_paper(_PAPER_A4)
        sheet.fit_to_pages(1, 0)
        sheet.set_footer("&L&A&R&P / &N")
        return sheet


class _Table:
    """A sheet of rows: their columns, and then each amount as a number."""

    def __init__(self, tables: _Tables, name: str, columns: Sequence[Column]) -> None:
        self.rows = 0
        self._sheet = tables.sheet(name)
        self._columns = columns
        self._numbers = [column.name for column in columns if column.type is ColumnType.AMOUNT]
        self._names = [column.name for column in columns] + [f"{amount}{NUMBER}" for amount in self._numbers]
        for at, column in enumerate(columns):
            width = max(_WIDTHS.get(column.type, _WIDTH), len(column.name) + 4)  # the filter's button needs some room
            is_text = column.type not in {ColumnType.COUNT, ColumnType.FLAG}
            self._sheet.set_column(at, at, width, tables.text if is_text else None)
        self._sheet.set_column(len(columns), len(self._names) - 1, _WIDTH + 8)
        self._sheet.write_row(0, 0, self._names, tables.header)

    def add(self, row: Any) -> None:
        """Write one row."""
        self.rows += 1
        sheet, line = self._sheet, self.rows
        for at, column in enumerate(self._columns):
            value = getattr(row, column.name)
            if value is None:
                continue
            if column.type is ColumnType.COUNT:
                sheet.write_number(line, at, value)
            elif column.type is ColumnType.FLAG:
                sheet.write_boolean(line, at, value)
            else:
                sheet.write_string(line, at, cell_text(value))
        for at, name in enumerate(self._numbers, start=len(self._columns)):
            value = getattr(row, name)
            if value is not None and isfinite(number := float(value)):
                sheet.write_number(line, at, number)

    def finish(self) -> None:
        """Set the filter over all rows."""
        last = len(self._names) - 1
        self._sheet.autofilter(0, 0, self.rows, last)
        # Ids of digits alone are texts on purpose: without a mark in each cell.
        self._sheet.ignore_errors(
            {"number_stored_as_text": f"A1:{xlsxwriter.utility.xl_rowcol_to_cell(self.rows, last)}"}
        )


@asynccontextmanager
async def _workbook(output: Output) -> AsyncIterator[Any]:
    """Open a workbook whose temporary files stand beside the report, and go with it in any case."""
    with tempfile.TemporaryDirectory(prefix=".report.", dir=output.folder) as folder:
        options = {
            "constant_memory": True,
            "tmpdir": folder,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        }
        file = _Closable(output.binary)
        workbook = xlsxwriter.Workbook(file, options)
        workbook.use_zip64()
        try:
            yield workbook
            await _close(workbook)
        finally:
            file.closed = workbook.fileclosed = True
            for sheet in workbook.worksheets():
                sheet._opt_close()  # noqa: SLF001 - the public way writes the file first


class _Closable:
    """The report's file, until its first error. An archive that fails ends itself later, when the file is closed."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.closed = False

    def write(self, data: bytes) -> int:
        if self.closed:
            return len(data)
        try:
            return self._file.write(data)
        except OSError:
            self.closed = True
            raise

    def seek(self, offset: int) -> int:
        return offset if self.closed else self._file.seek(offset)

    def tell(self) -> int:
        return 0 if self.closed else self._file.tell()

    def flush(self) -> None:
        if not self.closed:
            self._file.flush()

    def seekable(self) -> bool:
        return self._file.seekable()


async def _close(workbook: Any) -> None:
    """Pack the workbook beside the event loop. A stop waits for the end of it: the thread works in the folder."""
    packed = asyncio.ensure_future(asyncio.to_thread(workbook.close))
    try:
        await asyncio.shield(packed)
    except asyncio.CancelledError:
        await asyncio.wait([packed])
        raise
    except FileCreateError as error:
        raise error.args[0] from None


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
