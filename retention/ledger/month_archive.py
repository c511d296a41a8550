"""Takes one month out of the ledger, on the login of its owner.

A month leaves in steps, each of which is whole: its rows are kept from changes, they are recorded as archived, their
partitions are detached and dropped. A process that is killed between two of them leaves the rest to the next archive.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from retention.errors import UsageError
from retention.ledger.archives import ROOTS
from retention.ledger.database_errors import BusyError, first_line
from retention.ledger.migrations import LOCK_TIMEOUT, LOCK_TRIES, PAUSE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from retention.core.evidence.archives import ArchivedFile
    from retention.ledger.archives import PresentMonth
    from retention.ledger.database import Database, Transaction

TRIGGER = "archiving"
"""The trigger that keeps a partition from changes."""


class _NewFindingsError(Exception):
    """Rounds have a finding that they did not have before."""

    def __init__(self, rounds: int) -> None:
        super().__init__()
        self.rounds = rounds


def _require_recorded(row: Any) -> None:
    if not row.recorded:
        raise _NewFindingsError(row.found)


@dataclass(frozen=True, slots=True)
class MonthCount:
    """The rows that an archive of a month takes. `unplaced`: entries that no checkpoint covers.

    `entries_at`: when the newest entry was written.
    """

    rounds: int
    attempts: int
    entries: int
    unplaced: int
    runs: Sequence[UUID]
    opened_from: datetime | None
    first_at: datetime | None
    last_at: datetime | None
    entries_at: datetime | None


class MonthArchive:
    """Takes one month out of the ledger, on the login of its owner. `limits`: the policies' limits for reviews."""

    def __init__(self, database: Database, present: PresentMonth, limits: Mapping[str, int]) -> None:
        self._database = database
        self._present = present
        self._month = present.month
        self._limits = {"partners": list(limits), "max_runs": list(limits.values())}
        self.kept: list[int] = []

    def values(self) -> dict[str, object]:
        """Return the ids of the month, and of the rows that stay, as values of statements."""
        return {"first": self._month.first_id, "last": self._month.last_id, "kept": self.kept}

    def statement(self, table: str) -> dict[str, object]:
        """Return the values of the statement that lists a table's leaving rows: evidence leaves whole."""
        values = self.values()
        if table == "evidence":
            del values["kept"]
        return values

    async def unfinished_runs(self) -> list[Any]:
        """Find the first runs that keep the month in the ledger."""
        begin = self._month.begin
        times = {"begin": begin or "-infinity", "end": self._month.end}
        ids = {"first": self._month.first_id, "last": self._month.last_id}
        return await self._database.rows("archives/find_unfinished_runs", **times, **ids)

    async def look(self) -> MonthCount:
        """Count the rows that would leave, and remember the ones that stay."""
        ids = {"first": self._month.first_id, "last": self._month.last_id}
        rows = await self._database.rows("archives/list_unresolved", **ids, **self._limits)
        self.kept = sorted(row.id for row in rows)
        return await self.count()

    async def count(self) -> MonthCount:
        """Count the rows that leave."""
        return MonthCount(**(await self._database.row("archives/count_month", **self.values()))._asdict())

    async def freeze(self) -> None:
        """Keep the rows that leave from changes, and decide which rows stay. Raises UsageError after too many tries."""
        await self._try(self._freeze)

    async def _freeze(self) -> None:
        ids = {"first": self._month.first_id, "last": self._month.last_id}
        async with self._database.transaction() as transaction:
            await transaction.run(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
            for root in ROOTS:
                if self._present.has(root):
                    await transaction.run(
                        sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(self._table(root))
                    )
            rows = await transaction.rows("archives/list_unresolved", **ids, **self._limits)
            self.kept = sorted(row.id for row in rows)
            for root in ROOTS:
                if self._present.has(root):
                    await transaction.run(self._guard(root))
                    await transaction.run(
                        sql.SQL("ALTER TABLE {} ENABLE TRIGGER {}").format(self._table(root), sql.Identifier(TRIGGER))
                    )

    async def thaw(self, name: str) -> None:
        """Allow changes again, unless the archive `name` is recorded: the answer to its COMMIT may have been lost."""
        async with self._database.transaction() as transaction:
            await transaction.run(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
            await transaction.run("LOCK TABLE retention.archives IN SHARE MODE")  # waits for such a COMMIT
            if any(row.name == name for row in await transaction.rows("archives/list_archives")):
                return
            for root in ROOTS:
                if self._present.has(root):
                    await transaction.run(
                        sql.SQL("ALTER TABLE {} DISABLE TRIGGER {}").format(self._table(root), sql.Identifier(TRIGGER))
                    )

    async def record_kept(self, by: str, name: str) -> None:
        """Record anew the hashes that only the month's evidence has of rows that stay."""
        values = {**self.values(), "kind": "kept", "unreadable": []}
        async with self._database.transaction() as transaction:
            ids: dict[str, list[str]] = {one: [] for one in ("run", "cancellation", "attempt", "hold", "pause")}
            for row in await transaction.rows("archives/list_remaining", **values):
                ids.setdefault(row.subject, []).append(row.id)
            ids.pop("archive", None)  # no statement changes it
            await transaction.rows("archives/lock_remaining", **ids)
            await transaction.rows("archives/record_remaining", by=by, name=name, **values)

    async def record(self, by: str, name: str, part: int, files: Sequence[ArchivedFile], count: MonthCount) -> int:
        """Record the month as archived; where some of its rounds stay, the others leave in the same moment.

        Returns how many of its rounds have a new finding: then nothing is recorded.
        """
        recorded = {
            **self.values(),
            "name": name,
            "month": self._month.month,
            "part": part,
            "entries": next((one.rows for one in files if one.table == "evidence"), None),
            "files": json.dumps([one.document() for one in files]),
            "runs": list(count.runs),
            "opened_from": count.opened_from,
            "first_at": count.first_at,
            "last_at": count.last_at,
            "by": by,
        }
        left = {**self.values(), "kind": "left", "unreadable": [], "by": by, "name": name}
        try:
            async with self._database.transaction() as transaction:
                await transaction.run("SET LOCAL idle_in_transaction_session_timeout = 0")
                await transaction.rows("archives/record_remaining", **left)
                added = await transaction.row("archives/record_archive", **recorded)
                _require_recorded(added)
                if self.stays:
                    await self._try(lambda: self._keep_rounds(transaction))
        except _NewFindingsError as error:
            return error.rounds
        return 0

    async def _keep_rounds(self, transaction: Transaction) -> None:
        """Leave of the month's rounds the ones that stay. Raises BusyError; the transaction goes on all the same."""
        month = self._present.partitions["cancellations"].table.partition("_")[2]
        keeping = sql.SQL("SELECT retention.keep_rounds({}, {}::bigint[])").format(
            sql.Literal(month), sql.Literal(_array(self.kept))
        )
        try:
            await transaction.composed(keeping)
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
            raise BusyError(str(error)) from error

    @property
    def stays(self) -> bool:
        """Whether the partitions of rounds stay: some rows need a person, or lost rounds are written there."""
        return bool(self.kept) or self._month.begin is None

    async def drop(self, root: str) -> None:
        """Detach a partition where it still is one, and drop it. Readers do not wait for it."""
        partition = self._present.partitions[root]
        parent, table = sql.Identifier("retention", root), self._table(root)
        async with self._database.alone() as session:
            if partition.attached:
                how = sql.SQL("FINALIZE" if partition.pending else "CONCURRENTLY")
                await session.execute(sql.SQL("ALTER TABLE {} DETACH PARTITION {} {}").format(parent, table, how))
        await self._try(lambda: self._drop(table))

    async def _drop(self, table: sql.Identifier) -> None:
        async with self._database.transaction() as transaction:
            await transaction.run(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
            await transaction.run(sql.SQL("DROP TABLE {}").format(table))

    async def _try(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do work that waits for locks, and let others pass between two tries. Raises UsageError."""
        for left in reversed(range(LOCK_TRIES)):
            try:
                await work()
            except BusyError as error:
                if not left:
                    raise UsageError(
                        f"the month {self._month.month}: other sessions hold its tables, also at the last of"
                        f" {LOCK_TRIES} tries ({first_line(error)}); give the command again later"
                    ) from None
                await asyncio.sleep(PAUSE_S)
            else:
                return

    def _table(self, root: str) -> sql.Identifier:
        return sql.Identifier("retention", self._present.partitions[root].table)

    def _guard(self, root: str) -> sql.Composed:
        """Make the trigger that refuses changes of rows that leave."""
        key = {"cancellations": "id", "attempts": "cancellation_id", "evidence": "entry_id"}[root]
        kept = [] if root == "evidence" else self.kept
        return sql.SQL(
            "CREATE OR REPLACE TRIGGER {} BEFORE INSERT OR UPDATE ON {} FOR EACH ROW"
            " WHEN (NEW.{} <> ALL ({}::bigint[])) EXECUTE FUNCTION retention.refuse_archived({})"
        ).format(
            sql.Identifier(TRIGGER),
            self._table(root),
            sql.Identifier(key),
            sql.Literal(_array(kept)),
            sql.Literal(self._month.month),
        )


def _array(numbers: Sequence[int]) -> str:
    """Write an array of PostgreSQL."""
    return "{" + ",".join(map(str, numbers)) + "}"


@asynccontextmanager
async def only_archive(database: Database) -> AsyncIterator[bool]:
    """Be the only process that archives; yields whether this one is."""
    async with database.transaction() as transaction:
        await transaction.run("SET LOCAL idle_in_transaction_session_timeout = 0")
        yield (await transaction.row("archives/lock_archives")).locked
