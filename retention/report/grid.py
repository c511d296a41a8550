"""Tables as wide as the terminal, or, for a reader that is a program, as wide as they are; and lines."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from retention.core.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TextIO

    from rich.table import Table

    Row = Sequence[object]


def print_grid(columns: Sequence[str], rows: Iterable[Row], file: TextIO | None) -> None:
    """Print rows under their columns; one whose name begins with `>` is set to the right. Nothing is ever cut."""
    cells = [[printable(value) for value in row] for row in rows]
    file = file or sys.stdout
    if file.isatty():
        from rich.console import Console  # noqa: PLC0415 - slow to import, and slow to print with

        Console(file=file, highlight=False, markup=False, emoji=False).print(_folded(columns, cells))
    else:
        file.writelines(f"{line}\n" for line in _aligned(columns, cells))


def print_lines(lines: Iterable[str], file: TextIO | None) -> None:
    """Print lines."""
    (file or sys.stdout).writelines(f"{printable(line)}\n" for line in lines)


def _folded(columns: Sequence[str], cells: Iterable[Sequence[str]]) -> Table:
    """Lay a table out for a terminal, where what does not fit goes on below."""
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False)
    for name in columns:
        table.add_column(name.removeprefix(">"), justify="right" if name.startswith(">") else "left", overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    return table


def _aligned(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lay a table out a line to a row, each column as wide as its widest cell."""
    table = [[name.removeprefix(">") for name in columns], *cells]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    signs = [">" if name.startswith(">") else "<" for name in columns]
    form = "  ".join(f"{{:{sign}{width}}}" for sign, width in zip(signs, widths, strict=True))
    return (form.format(*row).rstrip() for row in table)
