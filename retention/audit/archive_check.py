"""Compares the files of archived months with the ledger's record of them, and their entries with the ledger's tree."""

from __future__ import annotations

import json
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from retention.audit.archive_files import read_rows, sha256_of
from retention.core.evidence.archive_proof import proved_leaves
from retention.core.evidence.archives import PROOF
from retention.core.evidence.audit_findings import AuditResult, Finding, FindingKind
from retention.core.evidence.merkle import leaf_hash
from retention.ledger.archives import Archives

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from retention.core.evidence.archives import Archive, ArchivedFile
    from retention.ledger.database import Database

_BROKEN = (ValueError, LookupError, TypeError, AttributeError)
"""The errors of reading a file that has another form."""


async def verify_archives(database: Database, folder: Path, result: AuditResult) -> None:
    """Verify the files of all archives, and add each difference to a result.

    Each file has to be the recorded one. The proof has to lead to its root, with the leaves that the ledger has, and
    each entry has to be the one of its leaf.
    """
    for archive in await Archives(database).all():
        whole = [_same(folder, archive, file, result) for file in archive.files]
        result.archive_files += len(whole)
        if all(whole) and archive.entries is not None:
            await _verify_entries(database, folder, archive, result)


def _same(folder: Path, archive: Archive, file: ArchivedFile, result: AuditResult) -> bool:
    """Check that a file is the one that was recorded."""
    path = folder / file.name
    try:
        found = sha256_of(path)
    except OSError as error:
        result.findings.add(_finding(FindingKind.ARCHIVE_MISSING, archive, f"{path}: {error.strerror}"))
        return False
    if found != file.sha256:
        result.findings.add(_finding(FindingKind.ARCHIVE_CHANGED, archive, str(path)))
    return found == file.sha256


async def _verify_entries(database: Database, folder: Path, archive: Archive, result: AuditResult) -> None:
    names = {file.table: folder / file.name for file in archive.files}
    try:
        proof: Mapping[str, Any] = json.loads(names[PROOF].read_text("utf-8"))
        leaves = proved_leaves(proof)
    except _BROKEN as error:
        result.findings.add(_finding(FindingKind.ARCHIVE_CHANGED, archive, f"{names[PROOF]}: {error}"))
        return
    first = min(leaves, default=0)
    async with (
        database.transaction(snapshot=True) as transaction,
        aclosing(transaction.stream("audit/list_leaf_hashes", size=first + len(leaves))) as hashes,
    ):
        place = 0
        async for row in hashes:
            if place >= first and leaves[place] != row.hash:
                words = f"{names[PROOF]}: leaf {place} is another one in the ledger"
                result.findings.add(_finding(FindingKind.ARCHIVE_CHANGED, archive, words))
                return
            place += 1
    try:
        for entry in read_rows(names["evidence"], "evidence"):
            if leaves.get(entry["leaf"]) != leaf_hash(entry["body"].encode()):
                words = f"{names['evidence']}: entry {entry['entry_id']} is not the one of its leaf"
                result.findings.add(_finding(FindingKind.ARCHIVE_CHANGED, archive, words))
                return
    except _BROKEN as error:
        result.findings.add(_finding(FindingKind.ARCHIVE_CHANGED, archive, f"{names['evidence']}: {error}"))


def _finding(kind: FindingKind, archive: Archive, detail: str) -> Finding:
    return Finding(kind, "archives", archive.name, detail=detail)
