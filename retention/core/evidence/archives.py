"""Archived months: which rows have left the ledger, and the files that hold them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

BEFORE = "before"
"""The month of the rows that an upgraded ledger had before its months."""

PER_MONTH = 10**10
"""An id is YYYYMM times this, and its number within the month."""

LOWEST_ID = 1 - 2**63
"""Below each id of the time before."""

PROOF = "proof"
"""The table of an archive's proof, which is a file of JSON."""


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """A file of an archive: its rows are those of a table. The proof has none."""

    table: str
    name: str
    sha256: str
    rows: int

    def document(self) -> dict[str, Any]:
        """Describe the file, as the ledger and the proof do."""
        return {"table": self.table, "name": self.name, "sha256": self.sha256, "rows": self.rows}


@dataclass(frozen=True, slots=True)
class Archive:
    """What has left the ledger at once: a month, or the rest of one. Its ids are those from `first_id` to `last_id`.

    `kept`: how many cancellations of the month stayed. `entries` of evidence; None where they had left before.
    `opened_from`: when the oldest of the rounds was opened. Rows and entries tell of moments from `first_at` to
    `last_at`; None where there is no row.
    """

    name: str
    month: str
    part: int
    first_id: int
    last_id: int
    kept: int
    entries: int | None
    files: tuple[ArchivedFile, ...]
    runs: frozenset[UUID]
    opened_from: datetime | None
    first_at: datetime | None
    last_at: datetime | None
    archived_by: str
    archived_at: datetime

    def overlaps(self, start: datetime | None, end: datetime | None, *, opened: bool = False) -> bool:
        """Whether a row tells of a time from `start` on and before `end`; with `opened`, also while it was open."""
        if self.first_at is None or self.last_at is None:
            return False
        begin = min(self.first_at, self.opened_from) if opened and self.opened_from is not None else self.first_at
        return (end is None or begin < end) and (start is None or self.last_at >= start)

    def has_id(self, number: int) -> bool:
        """Whether an id is one of the month's."""
        return self.first_id <= number <= self.last_id

    def document(self) -> dict[str, Any]:
        """Describe the archive for a program: its month and files."""
        return {"month": self.month, "files": [one.name for one in self.files]}


@dataclass(frozen=True, slots=True)
class LedgerMonth:
    """A month of the ledger in UTC, or the time before its months: its ids, and when it ends.

    `begin` is None for the time before.
    """

    month: str
    first_id: int
    last_id: int
    begin: datetime | None
    end: datetime

    def archive_name(self, part: int) -> str:
        """Name the archive of a part: the first one is named as the month is."""
        return self.month if part == 1 else f"{self.month}-part{part}"


def ledger_month(partition: str, bound: int | None = None) -> LedgerMonth:
    """Return the month of a partition's ending, such as 2026_01. `bound`: the first id after `before`.

    The rows of the time before are as old as the month in which the ledger was upgraded.
    """
    if partition == BEFORE:
        assert bound is not None
        return LedgerMonth(BEFORE, LOWEST_ID, bound - 1, None, _month(bound // PER_MONTH, 1))
    number = int(partition.replace("_", ""))
    begin, end = _month(number), _month(number, 1)
    after = (end.year * 100 + end.month) * PER_MONTH
    return LedgerMonth(partition.replace("_", "-"), number * PER_MONTH, after - 1, begin, end)


def file_name(archive: str, table: str) -> str:
    """Name an archive's file."""
    return f"ledger-{archive}-{table}.{'json' if table == PROOF else 'parquet'}"


def archive_of_id(archives: Iterable[Archive], number: int) -> tuple[Archive, ...]:
    """Return the archives whose month has an id."""
    return tuple(one for one in archives if one.has_id(number))


def archived_words(archives: Sequence[Archive]) -> str:
    """Name archived months and their files, for a person."""
    months = sorted({one.month for one in archives})
    files = [file.name for one in archives for file in one.files if file.table != PROOF]
    return f"{', '.join(months)} (files: {', '.join(files)})"


def _month(number: int, later: int = 0) -> datetime:
    """Return the first moment of a month, given as YYYYMM, or of one so many months later."""
    year, month = divmod(number, 100)
    months = year * 12 + month - 1 + later
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)
