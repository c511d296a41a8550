"""The size of the ledger as a terminal shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.text import counted
from retention.render.terminal_table import Column, moment, print_grid, print_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from retention.reports.ledger_status import ArchiveLine, LedgerStatus

_TABLES = (
    Column("table"),
    Column("rows (estimated)", right=True),
    Column("size", right=True),
    Column("of that indexes", right=True),
)
_MONTHS = (
    Column("month"),
    Column("runs", right=True),
    Column("rounds", right=True),
    Column("size (estimated)", right=True),
)
_ARCHIVES = (
    Column("archived month"),
    Column("rounds", right=True),
    Column("rounds that stay", right=True),
    Column("archived", 1),
    Column("by", 1),
)
_UNITS = ("B", "kB", "MB", "GB", "TB")
_STEP = 1000


def print_ledger_status(status: LedgerStatus, file: TextIO | None = None) -> None:
    """Print tables, runs, rounds, evidence and growth."""
    print_grid(
        _TABLES,
        (
            (one.table, f"{one.rows_estimated:,}", size_text(one.bytes), size_text(one.index_bytes))
            for one in status.tables
        ),
        file,
    )
    print_lines(_lines(status), file)
    if status.months:
        print_lines([""], file)
        rows = (
            (one.month, f"{one.runs:,}", f"{one.rounds:,}", size_text(one.bytes_estimated)) for one in status.months
        )
        print_grid(_MONTHS, rows, file)
    if status.archives:
        print_lines([""], file)
        print_grid(_ARCHIVES, map(_archive, status.archives), file)


def _archive(one: ArchiveLine) -> tuple[object, ...]:
    name = one.month if one.part == 1 else f"{one.month}, part {one.part}"
    return name, f"{one.rounds:,}", f"{one.kept:,}", moment(one.archived_at), one.archived_by


def size_text(size: int | None) -> str:
    """Write a number of bytes in the largest unit that leaves a whole number before the point."""
    if size is None:
        return ""
    number, unit = float(size), 0
    while number >= _STEP - 0.5 and unit < len(_UNITS) - 1:
        number, unit = number / _STEP, unit + 1
    return f"{number:.0f} {_UNITS[unit]}" if unit == 0 or number >= 9.95 else f"{number:.1f} {_UNITS[unit]}"  # noqa: PLR2004


def _lines(status: LedgerStatus) -> Iterator[str]:
    yield f"in all {size_text(status.bytes)}, as of {moment(status.as_of)}"
    if status.oldest_run is None:
        yield "no runs"
    else:
        runs = counted(status.runs, "run", separator=",")
        yield f"{runs}, the oldest of {moment(status.oldest_run)}, the newest of {moment(status.newest_run)}"
    how = " (estimated by the catalogue)" if status.states_estimated else ""
    yield f"{counted(sum(status.states.values()), 'round', separator=',')}{how}"
    yield from (f"  {count:>13,} {state}" for state, count in status.states.items())
    entries = counted(status.entries, "entry", "entries", separator=",")
    yield f"{entries} of evidence, {status.unplaced:,} of them after the newest checkpoint"
    if (newest := status.checkpoint) is not None:
        yield f"newest checkpoint {newest.checkpoint_id} of {moment(newest.at)}: size {newest.size}, root {newest.root}"
