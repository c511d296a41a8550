"""Reads how large the ledger is: its tables, the span of its runs, its rounds, its evidence and its growth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from retention.ledger.archives import Archives
from retention.ledger.database_errors import BusyError
from retention.ledger.records import records

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from retention.core.evidence.archives import Archive
    from retention.ledger.database import Database

MONTHS_SHOWN = 12
"""The growth is told for at most so many months, the newest."""

_PER_ROUND = frozenset({"cancellations", "attempts", "evidence", "evidence_leaves", "other_transactions", "findings"})
"""The tables that grow with each round."""


@dataclass(frozen=True, slots=True)
class TableSize:
    """A table with its sizes in bytes; `bytes` includes its indexes. `rows_estimated` is the catalogue's number."""

    table: str
    rows_estimated: int
    bytes: int
    index_bytes: int


@dataclass(frozen=True, slots=True)
class Month:
    """The runs of a month in UTC, such as 2026-10, and the rounds that they planned.

    `bytes_estimated`: the rounds times the present bytes per round; None without any round.
    """

    month: str
    runs: int
    rounds: int
    bytes_estimated: int | None


@dataclass(frozen=True, slots=True)
class NewestCheckpoint:
    """The newest checkpoint of the evidence, without its signature."""

    checkpoint_id: int
    at: datetime
    size: int
    root: str


@dataclass(frozen=True, slots=True)
class ArchiveLine:
    """An archived month, or a part of one: the rounds that left and that stayed, when, by whom, and its files."""

    month: str
    part: int
    rounds: int
    kept: int
    archived_at: datetime
    archived_by: str
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LedgerStatus:
    """The ledger at `as_of`. Sizes are in bytes.

    `states` counts the rows of cancellations; `states_estimated`: by the catalogue's statistics, because a count would
    take too long. `unplaced`: entries of evidence that no checkpoint covers yet.
    """

    as_of: datetime
    bytes: int
    tables: Sequence[TableSize]
    runs: int
    oldest_run: datetime | None
    newest_run: datetime | None
    states: Mapping[str, int]
    states_estimated: bool
    entries: int
    unplaced: int
    checkpoint: NewestCheckpoint | None
    months: Sequence[Month]
    archives: Sequence[ArchiveLine]


async def read_ledger_status(database: Database) -> LedgerStatus:
    """Read the status of the ledger. Each statement takes a few seconds at most, however large the ledger is."""
    states, estimated = await count_states(database)
    database = database.control()
    tables = records(TableSize, await database.rows("storage/list_tables"))
    span = await database.row("storage/get_span")
    per_round = _bytes_per_round(tables, sum(states.values()))
    checkpoint = None
    if span.checkpoint_id is not None:
        checkpoint = NewestCheckpoint(span.checkpoint_id, span.checkpoint_at, span.size, span.root)
    return LedgerStatus(
        as_of=span.as_of,
        bytes=sum(table.bytes for table in tables),
        tables=tables,
        runs=span.runs,
        oldest_run=span.oldest,
        newest_run=span.newest,
        states=states,
        states_estimated=estimated,
        entries=span.entries,
        unplaced=span.unplaced,
        checkpoint=checkpoint,
        months=[
            Month(row.month, row.runs, row.rounds, None if per_round is None else round(row.rounds * per_round))
            for row in await database.rows("storage/list_months", limit=MONTHS_SHOWN)
        ],
        archives=[_line(one) for one in await Archives(database).all()],
    )


async def count_states(database: Database) -> tuple[dict[str, int], bool]:
    """Count the rounds by state, or estimate them where the count takes longer than five seconds; and say which."""
    try:
        async with database.transaction(snapshot=True) as transaction:
            await transaction.rows("session/limit_statement_time")
            rows, estimated = await transaction.rows("storage/count_rounds"), False
    except BusyError:
        rows, estimated = await database.rows("storage/estimate_rounds"), True
    return {row.state: row.rounds for row in rows}, estimated


def _line(archive: Archive) -> ArchiveLine:
    rounds = sum(one.rows for one in archive.files if one.table == "cancellations")
    files = tuple(one.name for one in archive.files)
    return ArchiveLine(
        archive.month, archive.part, rounds, archive.kept, archive.archived_at, archive.archived_by, files
    )


def _bytes_per_round(tables: Sequence[TableSize], rounds: int) -> float | None:
    return sum(table.bytes for table in tables if table.table in _PER_ROUND) / rounds if rounds else None
