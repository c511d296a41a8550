"""The archives, and the partitions of the months that are still there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from retention.core.evidence.archives import Archive, ArchivedFile, LedgerMonth, ledger_month

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from retention.ledger.database import Database

ROOTS = ("cancellations", "attempts", "evidence")
"""The tables that have a partition for each month."""


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition of a month, or a table that was one. `pending`: its detaching was begun."""

    root: str
    table: str
    attached: bool
    pending: bool
    bytes: int
    owned: bool


@dataclass(frozen=True, slots=True)
class PresentMonth:
    """A month with the tables that it still has, by the table that each is a partition of."""

    month: LedgerMonth
    partitions: Mapping[str, Partition]

    def has(self, root: str) -> bool:
        """Whether the month still has rows of this table: detached ones have left."""
        return root in self.partitions and self.partitions[root].attached


class Archives:
    """The archives, for readers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> tuple[Archive, ...]:
        """Read all archives, the oldest month first."""
        return archives_of(await self._database.rows("archives/list_archives"))

    async def months(self) -> list[PresentMonth]:
        """Read the months with their partitions, the oldest first."""
        found: dict[str, dict[str, Any]] = {}
        for row in await self._database.rows("archives/list_partitions"):
            found.setdefault(row.month, {})[row.root] = row
        return [
            PresentMonth(
                ledger_month(month, next((row.bound for row in rows.values() if row.bound is not None), None)),
                {
                    root: Partition(root, row.table, row.attached, row.pending, row.bytes, row.owned)
                    for root, row in rows.items()
                },
            )
            for month, rows in found.items()
            if any(row.bound is not None for row in rows.values()) or month != "before"
        ]


def archives_of(rows: Sequence[Any]) -> tuple[Archive, ...]:
    """The archives of rows of list_archives.sql."""
    return tuple(
        Archive(
            **{
                **row._asdict(),
                "files": tuple(ArchivedFile(**one) for one in row.files),
                "runs": frozenset(row.runs),
            }
        )
        for row in rows
    )
