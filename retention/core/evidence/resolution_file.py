"""A file of decisions: CSV with the columns `id`, `as` and `note`, such as `review list --format csv` begins it.

Other columns are ignored, but for `state`: where it is present, it must still be the cancellation's. Spreadsheets may
separate the columns by semicolons or tabs. A row without `as` and `note` has no decision yet, and is left out.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from retention.core.evidence.resolutions import Resolution
from retention.core.invisible_text import is_blank, strip_invisible
from retention.core.model import RESOLUTIONS, State
from retention.core.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

COLUMNS = ("id", "as", "note")
"""The columns that a file must have."""

ROWS_MAX = 100_000
"""Rows of one file, at most: one transaction and one entry of evidence have them all."""

NOTE_CHARS_MAX = 2000
"""Characters of a note, at most."""

_HIGHEST_ID = 2**63 - 1
_DIGITS_MAX = 40
"""Digits of a number, at most: zeros may stand before it."""

_SEPARATORS = (",", ";", "\t")
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class ResolutionFile:
    """The decisions of a file, its problems, each with line and column, and the number of rows without a decision."""

    resolutions: Sequence[Resolution]
    problems: Sequence[str]
    undecided: int = 0


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the file: the line on which it begins, and its cells by column."""

    line: int
    cells: dict[str, str]


def read_resolutions(text: str) -> ResolutionFile:
    """Read the decisions of a file. Every row is checked, and all problems are returned together."""
    first, _, _ = text.partition("\n")
    separator = next((sign for sign in _SEPARATORS if "id" in _names(first, sign)), ",")
    header = _names(first, separator)
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        return ResolutionFile(
            (), [f"line 1: no column {', '.join(missing)}; the header must have {', '.join(COLUMNS)}"]
        )
    if doubled := sorted({name for name in header if name in (*COLUMNS, "state") and header.count(name) > 1}):
        return ResolutionFile((), [f"line 1: column {', '.join(doubled)} comes twice; leave one out"])
    found: list[Resolution] = []
    problems: list[str] = []
    undecided = 0
    lines: dict[int, int] = {}
    try:
        for row in _rows(text, separator, header, problems):
            if row.cells["as"] == row.cells["note"] == "" and row.cells["id"] != "":
                undecided += 1
                continue
            wrong = list(_problems(row))
            if not wrong and (before := lines.setdefault(int(row.cells["id"]), row.line)) != row.line:
                wrong = [f"column id: {row.cells['id']} is on line {before} too; decide each once"]
            problems += [f"line {row.line}, {words}" for words in wrong]
            if not wrong:
                found.append(_resolution(row))
    except csv.Error as error:
        problems.append(f"this is no CSV: {error}")
    if not found and not problems:
        problems.append("no row has a decision; fill in `as` and `note`")
    if len(found) > ROWS_MAX:
        problems.append(f"{len(found)} decisions; split the file, into {ROWS_MAX} at most")
    return ResolutionFile(found, problems, undecided)


def _names(line: str, separator: str) -> list[str]:
    """Read the names of a header, without blanks around them and in lower case."""
    try:
        cells = next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return []
    return [strip_invisible(cell).lower() for cell in cells]


def _rows(text: str, separator: str, header: list[str], problems: list[str]) -> Iterator[_Row]:
    """Yield the rows that have as many cells as the header; the others are problems."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    next(reader)
    line = reader.line_num + 1
    for cells in reader:
        begins, line = line, reader.line_num + 1
        if not any(cells):
            continue
        if len(cells) != len(header):
            problems.append(
                f"line {begins}: {len(cells)} cells, and the header has {len(header)}; quote what has commas"
            )
            continue
        by_name = dict(zip(header, map(strip_invisible, cells), strict=True))
        yield _Row(begins, by_name)


def _problems(row: _Row) -> Iterator[str]:
    given = row.cells["id"]
    if not (given.isascii() and given.isdigit() and len(given) <= _DIGITS_MAX and 0 < int(given) <= _HIGHEST_ID):
        yield f"column id: {_short(given)} is no cancellation's number; `retention review list` shows them"
    if row.cells["as"] not in RESOLUTIONS:
        yield f"column as: {_short(row.cells['as'])} is no resolution; write one of {', '.join(RESOLUTIONS)}"
    note = row.cells["note"]
    if is_blank(note):
        yield "column note: it is blank; write what was found out"
    elif len(note) > NOTE_CHARS_MAX:
        yield f"column note: it has {len(note)} characters; write at most {NOTE_CHARS_MAX}"
    elif "\0" in note:
        yield "column note: it has a NUL character; remove it"
    if (state := row.cells.get("state")) and state not in [*State]:
        yield f"column state: {_short(state)} is no state; leave the column as it was listed"


def _resolution(row: _Row) -> Resolution:
    cells = row.cells
    return Resolution(int(cells["id"]), State(cells["as"]), cells["note"], row.line, cells.get("state") or None)


def _short(cell: str) -> str:
    text = printable(cell if len(cell) <= _SHOWN else f"{cell[:_SHOWN]}…")
    return f"'{text}'"
