"""The evidence's checkpoints: they give the entries their places in the tree, and record its size and root.

Statements add entries without waiting for each other, so entries become visible in any order. A checkpoint places all
that it sees, in one transaction and one process at a time: after a crash there is all of it or nothing. An entry keeps
its place for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.evidence.checkpoint import Checkpoint, root_text, signature_line
from retention.core.evidence.merkle import Frontier

if TYPE_CHECKING:
    from retention.core.evidence.checkpoint import Signer
    from retention.ledger.database import Database, Transaction

PLACED_AT_ONCE = 10_000
"""Entries that one statement places at most."""


class Evidence:
    """The ledger's evidence. `signer` signs the checkpoints that this process makes."""

    def __init__(self, database: Database, signer: Signer | None = None) -> None:
        self._database = database
        self._signer = signer

    async def make_checkpoint(self, *, wait: bool = True) -> Checkpoint | None:
        """Place all entries that lack a place, and record a checkpoint; None if there is no such entry.

        Without `wait`, returns None as well if another process makes a checkpoint just now.
        """
        async with self._database.transaction() as transaction:
            turn = await transaction.row("evidence/lock_checkpoints", wait=wait)
            if not turn.locked:
                return None
            # Statements after the lock see the checkpoint of the process before.
            newest = await transaction.row("evidence/get_frontier")
            before = Frontier(newest.size, tuple(newest.frontier))
            frontier = await _place_entries(transaction, before, newest.placed_before)
            if frontier.size == before.size:
                return None
            made = Checkpoint(newest.origin, frontier.size, root_text(frontier.root()))
            line = None if self._signer is None else signature_line(made.note, made.origin, self._signer)
            recorded = await transaction.row(
                "evidence/insert_checkpoint",
                size=made.size,
                root=made.root,
                signature=line,
                frontier=[one.hex() for one in frontier.hashes],
                placed_before=newest.xmin,
                server=newest.server,
            )
        return Checkpoint(made.origin, made.size, made.root, recorded.checkpoint_id, line)

    async def newest_checkpoint(self) -> Checkpoint | None:
        """Read the newest checkpoint; None before the first one."""
        row = await self._database.row("evidence/get_newest_checkpoint")
        return None if row is None else checkpoint_of(row)


def checkpoint_of(row: object) -> Checkpoint:
    """The checkpoint of a row of get_newest_checkpoint.sql."""
    return Checkpoint(**row._asdict())  # type: ignore[attr-defined]


async def _place_entries(transaction: Transaction, frontier: Frontier, placed_before: str | None) -> Frontier:
    """Place the entries, some at a time; returns the frontier of the tree with them."""
    while True:
        rows = await transaction.rows(
            "evidence/place_entries", size=frontier.size, placed_before=placed_before, limit=PLACED_AT_ONCE
        )
        frontier = frontier.extended(row.hash for row in rows)
        if len(rows) < PLACED_AT_ONCE:
            return frontier
