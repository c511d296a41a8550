"""Compares the evidence with itself, with the rows and with anchors, as of one moment and in constant memory.

The tree is read leaf by leaf. The server compares the rows: only differences come here.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import DataError
from psycopg.errors import StatementTooComplex

from retention.core.evidence.audit_findings import LATER_KINDS, AuditResult, Finding, FindingKind
from retention.core.evidence.entry_form import readable_entry
from retention.core.evidence.signatures import SignatureCheck
from retention.core.evidence.tree_check import (
    Leaf,
    StoredCheckpoint,
    TreeCheck,
    check_anchors,
    check_checkpoints,
    wanted_sizes,
)
from retention.ledger.records import records

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from retention.core.evidence.anchors import Anchor
    from retention.core.evidence.signatures import VerifierKey
    from retention.ledger.database import Database, Transaction

TABLES = {
    "run": "runs",
    "cancellation": "cancellations",
    "attempt": "attempts",
    "hold": "holds",
    "pause": "pauses",
    "archive": "archives",
}
"""The table of each subject of evidence."""

_COUNTED = {"fits", "exempt"}
"""Verdicts that are no findings."""


@dataclass(frozen=True, slots=True)
class RowSelection:
    """The rows with findings to tell: of a run, from `start` on, and before `end`. The tree is always checked whole."""

    run_id: UUID | None = None
    start: datetime | None = None
    end: datetime | None = None

    def values(self) -> dict[str, object]:
        """Return the values of the statements."""
        return {"run_id": self.run_id, "start": self.start, "end": self.end}


async def verify_evidence(
    database: Database,
    selection: RowSelection,
    files: Mapping[str, Iterable[Anchor]],
    keys: Sequence[VerifierKey] = (),
) -> AuditResult:
    """Verify the whole tree, and the selected rows. `files` are the anchors by the name of their file.
    With `keys`, each signature has to be one of theirs.

    An entry that was written by hand can stop the statements that read entries. Then all is read once more, without
    the entries that do not have the form of one.
    """
    try:
        return await _Verification(selection, files, keys).of(database)
    except (DataError, StatementTooComplex):
        pass
    try:
        return await _Verification(selection, files, keys, look_at_bodies=True).of(database)
    except (DataError, StatementTooComplex) as error:
        detail = str(error.diag.message_primary)
        return await _Verification(selection, files, keys, unreadable=detail).of(database)


@dataclass(slots=True)
class _Verification:
    """One reading of the ledger. `unreadable`: why the rows cannot be compared."""

    selection: RowSelection
    files: Mapping[str, Iterable[Anchor]]
    keys: Sequence[VerifierKey]
    look_at_bodies: bool = False
    unreadable: str | None = None

    async def of(self, database: Database) -> AuditResult:
        result = AuditResult()
        async with database.transaction(snapshot=True) as transaction:
            key = await transaction.row("audit/get_ledger_key")
            await self._check_tree(transaction, result, None if key is None else key.origin)
            if key is None or key.origin is None:
                result.findings.add(Finding(FindingKind.KEY_MISSING, "ledger_key"))
                return result
            result.origin, result.kept_since = key.origin, key.kept_since
            if self.unreadable is not None:
                result.findings.add(Finding(FindingKind.ENTRY_UNREADABLE, "evidence", detail=self.unreadable))
                return result
            left_out = await self._unreadable_entries(transaction, result) if self.look_at_bodies else []
            await self._check_entries(transaction, result, left_out)
            await self._check_rows(transaction, result, left_out)
            result.archives = [row.name for row in await transaction.rows("archives/list_archives")]
        return result

    async def _check_tree(self, transaction: Transaction, result: AuditResult, origin: str | None) -> None:
        checkpoints = records(StoredCheckpoint, await transaction.rows("audit/list_checkpoints"))
        tree = TreeCheck(wanted_sizes(checkpoints, self.files), result.findings)
        async with aclosing(transaction.stream("audit/list_leaves")) as leaves:
            async for row in leaves:
                tree.add(Leaf(row.leaf, row.entry_id, row.hash, row.found, row.fits, row.archived))
        result.leaves, result.checkpoints = tree.end(), len(checkpoints)
        if tree.archived:
            result.archived["evidence"] = tree.archived
        if checkpoints:
            result.newest_size, result.newest_root = checkpoints[-1].size, checkpoints[-1].root
        signatures = SignatureCheck(origin, self.keys, result.findings)
        result.signatures = check_checkpoints(tree, checkpoints, signatures, result.findings)
        result.anchors, result.foreign = check_anchors(tree, checkpoints, self.files, origin, result.findings)

    async def _unreadable_entries(self, transaction: Transaction, result: AuditResult) -> list[int]:
        found = []
        async with aclosing(transaction.stream("audit/list_entry_bodies")) as entries:
            async for row in entries:
                if not readable_entry(row.body):
                    found.append(row.entry_id)
                    result.findings.add(_entry_finding(FindingKind.ENTRY_UNREADABLE, row))
        return found

    async def _check_entries(self, transaction: Transaction, result: AuditResult, left_out: Sequence[int]) -> None:
        async with aclosing(transaction.stream("audit/find_odd_entries", unreadable=left_out)) as entries:
            async for row in entries:
                if row.entry_id is None:
                    result.unplaced = row.unplaced
                if row.columns_differ:
                    result.findings.add(_entry_finding(FindingKind.ENTRY_COLUMNS, row))
                if row.left_behind:
                    result.findings.add(_entry_finding(FindingKind.ENTRY_UNPLACED, row))

    async def _check_rows(self, transaction: Transaction, result: AuditResult, left_out: Sequence[int]) -> None:
        values = self.selection.values()
        compared = transaction.stream("audit/compare_rows", unreadable=left_out, later_kinds=[*LATER_KINDS], **values)
        async with aclosing(compared) as rows:
            async for row in rows:
                table = TABLES.get(row.subject, row.subject)
                if row.verdict == "archived":
                    result.archived[table] = row.rows
                    continue
                result.rows[table] = result.rows.get(table, 0) + row.rows
                if row.verdict == "exempt":
                    result.exempt[table] = row.rows
                elif row.verdict not in _COUNTED:
                    kind = FindingKind[row.verdict.upper()]
                    result.findings.add(Finding(kind, table, row.id, row.run_id, row.entry_id, row.leaf))
        async with aclosing(transaction.stream("audit/find_unclaimed_attempts", **values)) as rows:
            async for row in rows:
                result.findings.add(Finding(FindingKind.ATTEMPT_UNCLAIMED, "attempts", row.id, row.run_id))


def _entry_finding(kind: FindingKind, row: Any) -> Finding:
    return Finding(kind, "evidence", str(row.entry_id), row.run_id, row.entry_id, row.leaf)
