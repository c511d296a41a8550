"""Exports a run's evidence as one JSON file that `deploy/verify_evidence.py` verifies without the ledger."""

from __future__ import annotations

import json
from base64 import b64encode
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from retention.core.evidence.checkpoint import Checkpoint
from retention.core.evidence.merkle import inclusion_proofs
from retention.core.text import time_text
from retention.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from typing import TextIO
    from uuid import UUID

    from retention.core.evidence.archives import ArchivedMonth
    from retention.ledger.database import Database, Transaction

FORMAT = "retention evidence 1"
"""The name of the file's form; another form gets another number."""


@dataclass(frozen=True, slots=True)
class Exported:
    """The numbers of a written file. `unplaced` entries are in no checkpoint yet, so nothing proves them."""

    rows: int
    entries: int
    unplaced: int
    checkpoint: Checkpoint


async def export_evidence(
    database: Database, run_id: UUID, public_key: str | None, file: TextIO, archived: Sequence[ArchivedMonth] = ()
) -> Exported:
    """Write a run's rows, entries and proofs as of one moment. `public_key` is a line of signed-note.

    `archived` months have the rest of them. Raises UsageError where there is no checkpoint yet.
    """
    async with database.transaction(snapshot=True) as transaction:
        newest = await transaction.row("evidence/get_newest_checkpoint")
        if newest is None:
            raise UsageError("there is no checkpoint yet, so nothing can be proved; export again after a run")
        checkpoint = Checkpoint(**newest._asdict())
        now = (await transaction.row("clocks/get_time")).now
        values = {"checkpoint_id": checkpoint.checkpoint_id, **checkpoint.document(), "note": checkpoint.note}
        head = {
            "format": FORMAT,
            "run_id": str(run_id),
            "exported_at": time_text(now),
            "origin": checkpoint.origin,
            "checkpoint": {**values, "signature": checkpoint.signature},
            "public_key": public_key,
            "archived": [{"month": one.month, "files": one.files} for one in archived],
        }
        file.write("{\n" + "".join(f"{json.dumps(name)}: {json.dumps(value)},\n" for name, value in head.items()))
        file.write('"rows": [')
        rows = await _write(file, _rows(transaction, run_id))
        file.write('],\n"entries": [')
        counted = {"entries": 0, "unplaced": 0}
        await _write(file, _entries(transaction, run_id, checkpoint.size, counted))
        file.write("]\n}\n")
    return Exported(rows, counted["entries"], counted["unplaced"], checkpoint)


async def _rows(transaction: Transaction, run_id: UUID) -> AsyncIterator[Mapping[str, Any]]:
    async with aclosing(transaction.stream("audit/list_run_rows", run_id=run_id)) as rows:
        async for row in rows:
            yield {"subject": row.subject, "id": row.id, "text": row.text}


async def _entries(
    transaction: Transaction, run_id: UUID, size: int, counted: dict[str, int]
) -> AsyncIterator[Mapping[str, Any]]:
    """Yield the entries with their proofs. The leaves are held in memory, the bodies are not."""
    async with aclosing(transaction.stream("audit/list_leaf_hashes", size=size)) as hashes:
        leaves = [row.hash async for row in hashes]
    wanted = [row.leaf for row in await transaction.rows("audit/list_run_leaves", run_id=run_id, size=len(leaves))]
    proofs = inclusion_proofs(leaves, wanted)
    async with aclosing(transaction.stream("audit/list_run_entries", run_id=run_id)) as entries:
        async for row in entries:
            proof = proofs.get(row.leaf)
            counted["entries"] += 1
            counted["unplaced"] += proof is None
            yield {
                "entry_id": row.entry_id,
                "leaf": None if proof is None else row.leaf,
                "body": row.body,
                "proof": [b64encode(one).decode() for one in proof or ()],
            }


async def _write(file: TextIO, items: AsyncIterator[Mapping[str, Any]]) -> int:
    count = 0
    async for item in items:
        file.write((",\n" if count else "\n") + json.dumps(item))
        count += 1
    file.write("\n")
    return count
