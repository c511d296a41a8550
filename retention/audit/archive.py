"""Takes whole months out of the ledger: into files that are read back and compared, before anything is dropped.

Each step of a month is whole, so a killed process leaves nothing half done: the same command goes on where it was.
Until the rows are recorded as archived, they are in the ledger; from then on, they are in the files.
"""

from __future__ import annotations

import asyncio
import errno
from contextlib import aclosing, suppress
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg_pool import PoolTimeout

from retention.audit.archive_files import COLUMNS, ArchiveFolder, sha256_of
from retention.audit.archive_plan import MonthPlan, left_tables, plan_month
from retention.core.evidence.archive_proof import archive_proof
from retention.core.evidence.archives import PROOF, ArchivedFile
from retention.core.evidence.merkle import Frontier
from retention.core.text import counted
from retention.errors import UsageError
from retention.ledger.evidence import checkpoint_of
from retention.ledger.month_archive import MonthArchive

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from retention.core.evidence.archives import Archive
    from retention.core.evidence.checkpoint import Checkpoint
    from retention.ledger.archives import PresentMonth
    from retention.ledger.database import Database, Transaction

STATEMENTS = {
    "cancellations": "archives/list_cancellations",
    "attempts": "archives/list_attempts",
    "evidence": "archives/list_entries",
}
"""The statement that lists the rows of each table's file."""


@dataclass(frozen=True, slots=True)
class Archiving:
    """Who archives where. `limits`: how often runs call a round of each partner. `public_key`: of checkpoints."""

    database: Database
    origin: str
    folder: Path
    by: str
    limits: Mapping[str, int]
    public_key: str | None


async def archive_month(
    archiving: Archiving, present: PresentMonth, archives: Sequence[Archive], before: datetime
) -> MonthPlan | None:
    """Take a month out of the ledger, or go on with it. None where nothing was left to leave.

    Raises UsageError where its files cannot be written, or lack rows of the ledger: then nothing is dropped.
    """
    left = left_tables(present, archives)
    if left:
        _require_files(archiving.folder, archives, left)
        await _drop(archiving.database, present, archiving.limits, left)
        return MonthPlan(present.month.month, resumed=True)
    planned = await plan_month(archiving.database, present, archives, before, archiving.limits)
    if planned is None or planned.why_not is not None:
        return planned
    work = MonthArchive(archiving.database, present, archiving.limits)
    part = len(archives) + 1
    folder = ArchiveFolder(archiving.folder, archiving.origin, present.month.archive_name(part))
    tables = [root for root in COLUMNS if present.has(root)]
    folder.require_free(tables)
    await work.freeze()
    try:
        done = await _archive(archiving, present, work, folder, tables, part)
    except BaseException as error:
        await asyncio.shield(_thaw(work, present.month.archive_name(part)))
        if not isinstance(error, OSError):
            raise
        mend = "free some space there" if error.errno in {errno.ENOSPC, errno.EDQUOT} else "mend it"
        raise UsageError(
            f"{archiving.folder}: {error.strerror or error}; {mend}, or give another folder to --to; the month"
            f" {present.month.month} is still in the ledger, whole"
        ) from None
    finally:
        folder.discard()
    dropped = ["evidence"] if work.stays else ["attempts", "cancellations", "evidence"]
    await _drop(archiving.database, present, archiving.limits, [one for one in dropped if present.has(one)])
    return done


async def _thaw(work: MonthArchive, name: str) -> None:
    """Allow changes of the month again, as far as the database answers: else the next archive does."""
    with suppress(psycopg.Error, PoolTimeout):
        await work.thaw(name)


async def _archive(
    archiving: Archiving,
    present: PresentMonth,
    work: MonthArchive,
    folder: ArchiveFolder,
    tables: Sequence[str],
    part: int,
) -> MonthPlan:
    """Write and record the files of a month that is kept from changes."""
    month, name = present.month, present.month.archive_name(part)
    await work.record_kept(archiving.by, name)
    count = await work.count()
    if count.unplaced:
        raise UsageError(
            f"{month.month}: {counted(count.unplaced, 'entry', 'entries')} of evidence are in no checkpoint; run the"
            " command again"
        )
    rows = {"cancellations": count.rounds, "attempts": count.attempts, "evidence": count.entries}
    files: list[ArchivedFile] = []
    async with archiving.database.transaction(snapshot=True) as transaction:
        for table in tables:
            async with aclosing(transaction.stream(STATEMENTS[table], **work.statement(table))) as found:
                await folder.write(table, found)
            await _compare(transaction, work, folder, table, rows[table])
            files.append(folder.describe(table, rows[table]))
        tree = await _tree(transaction, work) if count.entries else None
    try:
        proof = archive_proof(archiving.origin, month, part, files, tree, archiving.public_key)
    except ValueError as error:
        raise UsageError(f"{month.month}: {error}; `retention audit verify` tells more") from None
    folder.write_proof(proof)
    files.append(folder.describe(PROOF, 0))
    folder.finish()
    found_now = await work.record(archiving.by, name, part, files, count)
    if found_now:
        raise UsageError(f"{month.month}: {counted(found_now, 'round')} got a finding meanwhile; run the command again")
    size = sum(one.bytes for one in present.partitions.values())
    return MonthPlan(month.month, count.rounds, count.attempts, count.entries, len(work.kept), size)


async def _compare(
    transaction: Transaction, work: MonthArchive, folder: ArchiveFolder, table: str, expected: int
) -> None:
    """Compare a file, as it is on the disk, with the ledger: each value of each row. Raises UsageError."""
    of_file, of_row = itemgetter(*COLUMNS[table]), attrgetter(*COLUMNS[table])
    written, count = _unbroken(folder, table), 0
    async with aclosing(transaction.stream(STATEMENTS[table], **work.statement(table))) as rows:
        async for row in rows:
            count += 1
            stored = next(written, None)
            if stored is None or of_file(stored) != of_row(row):
                raise _differs(folder, table, f"row {count} of the file is not the ledger's")
            if table == "evidence" and not (row.fits and row.leaf is not None):
                raise UsageError(
                    f"entry {row.entry_id} is not the one of its leaf; `retention audit verify` tells more"
                )
    if count != expected or next(written, None) is not None:
        raise _differs(folder, table, f"it does not have the ledger's {expected} rows")


def _unbroken(folder: ArchiveFolder, table: str) -> Iterator[Mapping[str, Any]]:
    try:
        yield from folder.read(table)
    except ValueError as error:
        raise _differs(folder, table, str(error)) from None


def _differs(folder: ArchiveFolder, table: str, words: str) -> UsageError:
    return UsageError(f"{folder.path(table)}: {words}; the disk may be faulty: give another folder to --to")


async def _tree(transaction: Transaction, work: MonthArchive) -> tuple[Checkpoint, Frontier, list[bytes]]:
    """Read the leaves that lead from the month's first entry to the root of the checkpoint over its last one."""
    span = await transaction.row("archives/get_leaves", **work.statement("evidence"))
    covering = await transaction.row("archives/find_covering_checkpoint", size=span.last + 1)
    if covering is None:
        raise UsageError("no checkpoint covers the month's evidence; run the command again")
    before, leaves = Frontier(), list[bytes]()
    async with aclosing(transaction.stream("audit/list_leaf_hashes", size=covering.size)) as hashes:
        place = 0
        async for row in hashes:
            if place < span.first:
                before = before.extended([row.hash])
            else:
                leaves.append(row.hash)
            place += 1
    return checkpoint_of(covering), before, leaves


async def _drop(database: Database, present: PresentMonth, limits: Mapping[str, int], roots: Sequence[str]) -> None:
    work = MonthArchive(database, present, limits)
    for root in roots:
        await work.drop(root)


def _require_files(folder: Path, archives: Sequence[Archive], roots: Sequence[str]) -> None:
    """Raise UsageError unless the folder has the files of tables that are about to be dropped."""
    for archive in archives:
        for file in archive.files:
            if file.table not in (*roots, PROOF):
                continue
            path = folder / file.name
            try:
                same = sha256_of(path) == file.sha256
            except OSError as error:
                raise _elsewhere(path, str(error.strerror)) from None
            if not same:
                raise _elsewhere(path, "it is not the file that was recorded")


def _elsewhere(path: Path, words: str) -> UsageError:
    return UsageError(
        f"{path}: {words}; an earlier archive was interrupted, so give its folder to --to: nothing more is dropped"
        " without its files"
    )
