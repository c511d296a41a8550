"""Tables, lines and values that fit the terminal. Ids, amounts and words are never broken or cut.

A table that is too wide keeps the columns of the lowest ranks. The values of its other columns follow below each row,
with the columns' names. Output that is not a terminal gets tables for `DEFAULT_WIDTH` columns, or for COLUMNS, and no
wrapped text: programs search it for adjacent words.
"""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

from retention.core.money import UNKNOWN, display_sums
from retention.core.text import counted, printable, second_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal
    from typing import TextIO

    Row = Sequence[object]

DEFAULT_WIDTH = 80
"""Width in columns where neither COLUMNS nor the terminal gives one."""

INDENT = 4
"""Blanks before the values below a row, and before a wrapped line's rest."""

GAP = "  "
BETWEEN = "   "

_LINE_BREAK = re.compile(r" (?!(?<=\d )(?:[A-Z]{3}|unknown)\b)")
"""A blank where a line may break: not between an amount and its currency."""


class Column(NamedTuple):
    """A column of a table. `right`: aligned right. `prose`: text that may be wrapped, on lines of its own.

    In a table that is too wide, the columns of the lowest ranks stay on the row's line.
    """

    name: str
    rank: int = 0
    right: bool = False
    prose: bool = False


def width_of(file: TextIO) -> int:
    """Return the output's width in columns: COLUMNS, else the terminal's width, else `DEFAULT_WIDTH`."""
    given = os.environ.get("COLUMNS", "")
    if given.isascii() and given.isdigit() and int(given) > 0:
        return int(given)
    try:
        return os.get_terminal_size(file.fileno()).columns or DEFAULT_WIDTH
    except OSError:
        return DEFAULT_WIDTH


def print_grid(columns: Sequence[Column], rows: Iterable[Row], file: TextIO | None = None) -> None:
    """Print rows under their columns; in a table that is too wide, each row takes several lines."""
    file = file or sys.stdout
    cells = [[printable(value) for value in row] for row in rows]
    file.writelines(f"{line}\n" for line in _laid_out(columns, cells, width_of(file), wrap=file.isatty()))


def print_lines(lines: Iterable[str], file: TextIO | None = None, *, hang: int = INDENT) -> None:
    """Print lines. The rest of a wrapped line is indented by `hang` more blanks than its beginning."""
    file = file or sys.stdout
    width = width_of(file) if file.isatty() else None
    for line in lines:
        file.writelines(f"{part}\n" for part in wrapped(printable(line), width, hang))


def wrapped(line: str, width: int | None, hang: int = INDENT) -> Iterator[str]:
    """Break a line between words. A word wider than `width` columns gets a line of its own, unbroken."""
    if width is None or cells_of(line) <= width:
        yield line
        return
    text = line.lstrip(" ")
    part = line[: len(line) - len(text)]
    margin = " " * (len(part) + hang)
    empty = True
    for word in _LINE_BREAK.split(text):
        longer = f"{part}{word}" if empty else f"{part} {word}"
        if not empty and cells_of(longer) > width:
            yield part.rstrip()
            longer = f"{margin}{word}"
        part, empty = longer, False
    yield part.rstrip()


def cells_of(text: str) -> int:
    """Return a text's width in columns: East Asian wide letters take two, combining accents none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text
    )


def _laid_out(columns: Sequence[Column], cells: Sequence[Sequence[str]], width: int, *, wrap: bool) -> Iterator[str]:
    widths = [
        max(cells_of(text) for text in (column.name, *(row[index] for row in cells)))
        for index, column in enumerate(columns)
    ]
    every = list(range(len(columns)))
    if _total(widths, every) <= width:
        yield from (_line(columns, widths, row, every) for row in (_names(columns), *cells))
        return
    filled = [index for index in every if any(row[index] for row in cells)]
    head = _head(columns, widths, filled, width)
    below = [index for index in filled if index not in head]
    below.sort(key=lambda index: columns[index].prose)
    yield _line(columns, widths, _names(columns), head)
    for row in cells:
        yield _line(columns, widths, row, head)
        yield from _below([(columns[index], row[index]) for index in below if row[index]], width, wrap=wrap)


def _names(columns: Sequence[Column]) -> list[str]:
    return [column.name for column in columns]


def _head(columns: Sequence[Column], widths: Sequence[int], filled: Sequence[int], width: int) -> list[int]:
    """Return the indexes of the columns that stay on the row's line, in their order."""
    first, *others = sorted(filled, key=lambda index: (columns[index].rank, index))
    head = [first]
    for index in others:
        if not columns[index].prose and _total(widths, [*head, index]) <= width:
            head.append(index)
    return sorted(head)


def _total(widths: Sequence[int], shown: Sequence[int]) -> int:
    return sum(widths[index] for index in shown) + len(GAP) * (len(shown) - 1)


def _line(columns: Sequence[Column], widths: Sequence[int], row: Sequence[str], shown: Sequence[int]) -> str:
    padded = []
    for index in shown:
        blanks = " " * (widths[index] - cells_of(row[index]))
        padded.append(f"{blanks}{row[index]}" if columns[index].right else f"{row[index]}{blanks}")
    return GAP.join(padded).rstrip()


def _below(pairs: Sequence[tuple[Column, str]], width: int, *, wrap: bool) -> Iterator[str]:
    """Write the values below a row with their columns' names: several on a line, prose on lines of its own."""
    line, limit = "", width if wrap else None
    for column, text in pairs:
        labelled = f"{column.name}: {text}"
        longer = f"{line}{BETWEEN}{labelled}" if line else labelled
        if line and (column.prose or INDENT + cells_of(longer) > width):
            yield from wrapped(" " * INDENT + line, limit, 2)
            longer = labelled
        line = longer
    if line:
        yield from wrapped(" " * INDENT + line, limit, 2)


INLINE_SUMS = 2
"""The most sums that one sentence holds; more sums follow below it, one per line."""


def moment(at: datetime | None) -> str:
    """Write a time in UTC to the second, or the empty text for None."""
    return "" if at is None else second_text(at)


def sums_lines(label: str, amounts: Mapping[str, Decimal]) -> Iterator[str]:
    """Write labelled sums by currency (in currency units), on one line or several."""
    yield f"{label}: {sums_in_short(amounts)}"
    yield from sums_below(amounts)


def sums_in_short(amounts: Mapping[str, Decimal]) -> str:
    """Write sums by currency within a sentence; of many sums, write only the number of currencies."""
    if len(amounts) > INLINE_SUMS:
        return f"in {counted(len(amounts), 'currency', 'currencies')}"
    return ", ".join(display_sums(amounts)) or UNKNOWN


def sums_below(amounts: Mapping[str, Decimal]) -> Iterator[str]:
    """Write the sums that `sums_in_short` only counted, one per line and aligned right."""
    if len(amounts) > INLINE_SUMS:
        texts = display_sums(amounts)
        width = max(map(len, texts))
        yield from (f"  {text:>{width}}" for text in texts)
