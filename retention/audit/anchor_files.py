"""Reads the files in which anchors are looked for. A file is mapped, not read, so a log of any size needs no memory."""

from __future__ import annotations

import csv
import mmap
from typing import TYPE_CHECKING

from retention.core.evidence.anchors import CSV_COLUMNS, Anchor, anchors_of_table, find_anchors
from retention.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HEADER_BYTES = 20_000
"""Bytes in which the header of a CSV stands."""

_CONTENT = "name a log, a report, a webhook's body or a note of this ledger"


def read_anchors(paths: Sequence[Path]) -> dict[str, set[Anchor]]:
    """Find the checkpoints in each file, by its name.

    Raises UsageError for a file that cannot be read, or that has no checkpoint.
    """
    found = {}
    for path in paths:
        try:
            found[str(path)] = _anchors_in(path)
        except OSError as error:
            raise UsageError(f"--anchors {path}: {error.strerror}; {_CONTENT}") from None
        if not found[str(path)]:
            raise UsageError(f"--anchors {path}: no checkpoint is in it; {_CONTENT}")
    return found


def _anchors_in(path: Path) -> set[Anchor]:
    with path.open("rb") as file:
        begin = file.read(HEADER_BYTES)
        header = begin.partition(b"\n")[0].decode("utf-8-sig", "replace")
        if set(CSV_COLUMNS) <= {name.strip('"\r ') for name in header.split(",")}:
            return _anchors_in_table(path)
        try:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
                return set(find_anchors(text))
        except ValueError:  # an empty file cannot be mapped
            return set()
        except OSError:  # a pipe cannot either
            return set(find_anchors(begin + file.read()))


def _anchors_in_table(path: Path) -> set[Anchor]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        rows = csv.reader(file)
        try:
            return set(anchors_of_table(next(rows), rows))
        except csv.Error as error:
            raise UsageError(
                f"--anchors {path}: line {rows.line_num} is no CSV: {error}; make the report anew"
            ) from None
