"""Archived months: which rows have left the ledger, and the files that hold them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
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
class ArchivedMonth:
    """A month that is archived, and the files that have its rows."""

    month: str
    files: tuple[str, ...]

    def __str__(self) -> str:
        """Name the month and its files, for a person."""
        return f"{self.month} ({', '.join(self.files)})"


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

    @property
    def named(self) -> ArchivedMonth:
        """Its month and its files, without the proof."""
        return ArchivedMonth(self.month, tuple(one.name for one in self.files if one.table != PROOF))


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


def of_ids(archives: Iterable[Archive], ids: Collection[int]) -> tuple[ArchivedMonth, ...]:
    """Name the archives whose month has one of the ids."""
    return tuple(one.named for one in archives if any(one.first_id <= number <= one.last_id for number in ids))


def of_run(archives: Iterable[Archive], run_id: UUID) -> tuple[ArchivedMonth, ...]:
    """Name the archives that have rows or entries of a run."""
    return tuple(one.named for one in archives if run_id in one.runs)


def of_period(
    archives: Iterable[Archive],
    start: datetime | None,
    end: datetime | None,
    *,
    run_id: UUID | None = None,
    opened: bool = False,
) -> tuple[ArchivedMonth, ...]:
    """Name the archives with rows of a period, and of a run where one is given.

    With `opened`, a round is of the time while it was open, too.
    """
    return tuple(
        one.named
        for one in archives
        if one.overlaps(start, end, opened=opened) and (run_id is None or run_id in one.runs)
    )


def _month(number: int, later: int = 0) -> datetime:
    """Return the first moment of a month, given as YYYYMM, or of one so many months later."""
    year, month = divmod(number, 100)
    months = year * 12 + month - 1 + later
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)
