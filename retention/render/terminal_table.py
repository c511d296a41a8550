"""Tables and lines that fit the terminal: no id, no amount and no word is ever broken or cut.

A table that is too wide keeps the columns of the lowest ranks; what its other columns hold follows below each row,
with their names. A reader that is no terminal gets tables laid out for `USUAL` columns, or as many as COLUMNS says, and
no text is wrapped for it: programs look for words that stand beside each other.
"""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

from retention.core.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TextIO

    Row = Sequence[object]

USUAL = 80
"""Columns of a terminal that does not tell."""

INDENT = 4
"""Blanks before what follows below a row."""

GAP = "  "
BETWEEN = "   "


_KEPT_TOGETHER = re.compile(r" (?!(?<=\d )(?:[A-Z]{3}|unknown)\b)")
"""A blank at which a line may be broken: an amount stays with its currency."""


class Column(NamedTuple):
    """A column of a table. `right`: set to the right. `prose`: words that may be wrapped, on lines of their own.

    Where not all fit, those of the lowest rank stay on the row's line, the first column in any case.
    """

    name: str
    rank: int = 0
    right: bool = False
    prose: bool = False


def width_of(file: TextIO) -> int:
    """Tell how many columns there are: what COLUMNS says, else the terminal, else the usual number."""
    told = os.environ.get("COLUMNS", "")
    if told.isascii() and told.isdigit() and int(told) > 0:
        return int(told)
    try:
        return os.get_terminal_size(file.fileno()).columns or USUAL
    except OSError:
        return USUAL


def print_grid(columns: Sequence[Column], rows: Iterable[Row], file: TextIO | None = None) -> None:
    """Print rows under their columns, or in several lines each where that is too wide. Nothing is ever cut."""
    file = file or sys.stdout
    cells = [[printable(value) for value in row] for row in rows]
    file.writelines(f"{line}\n" for line in _laid_out(columns, cells, width_of(file), wrap=file.isatty()))


def print_lines(lines: Iterable[str], file: TextIO | None = None, *, hang: int = INDENT) -> None:
    """Print lines; what does not fit goes on below, `hang` blanks farther to the right than the line began."""
    file = file or sys.stdout
    width = width_of(file) if file.isatty() else None
    for line in lines:
        file.writelines(f"{part}\n" for part in wrapped(printable(line), width, hang))


def wrapped(line: str, width: int | None, hang: int = INDENT) -> Iterator[str]:
    """Break a line between its words; a word that is wider than that stands alone, and whole."""
    if width is None or cells_of(line) <= width:
        yield line
        return
    text = line.lstrip(" ")
    part = line[: len(line) - len(text)]
    margin = " " * (len(part) + hang)
    empty = True
    for word in _KEPT_TOGETHER.split(text):
        longer = f"{part}{word}" if empty else f"{part} {word}"
        if not empty and cells_of(longer) > width:
            yield part.rstrip()
            longer = f"{margin}{word}"
        part, empty = longer, False
    yield part.rstrip()


def cells_of(text: str) -> int:
    """Tell how many columns a text takes: letters of East Asia take two, accents of their own none."""
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
    """Choose the columns that stay on the row's line, in their order."""
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
    """Tell what did not fit, name by name: as many to a line as it holds, prose on lines of its own."""
    line, limit = "", width if wrap else None
    for column, text in pairs:
        told = f"{column.name}: {text}"
        longer = f"{line}{BETWEEN}{told}" if line else told
        if line and (column.prose or INDENT + cells_of(longer) > width):
            yield from wrapped(" " * INDENT + line, limit, 2)
            longer = told
        line = longer
    if line:
        yield from wrapped(" " * INDENT + line, limit, 2)
