"""Closes rounds once more at the operator's that the vendor has cancelled and that could not be closed there."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg

from retention.core.evidence.closing import RoundLook, refused, verdict
from retention.core.model import State
from retention.core.sending.database_errors import ErrorClass
from retention.ledger import details
from retention.ledger.database import Transaction
from retention.ledger.database_errors import AwayError, BusyError, EndedError, said, trouble_with

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retention.ledger.database import Database
    from retention.ledger.session import Session

BATCH = 100
"""Rounds closed in one transaction, at the most."""

TRIES = 3
"""For what passes by itself."""

PAUSE = 0.5
"""Seconds between them."""

LOCK_TIMEOUT = "5s"
"""How long a lock is waited for."""

NO_LOCK_TIMEOUT = "0"

SHORT_LOCK_TIMEOUT = "200ms"
"""The same while a batch is halved in which somebody has locked a round."""


@dataclass(frozen=True, slots=True)
class Reclosed:
    """What came of one cancellation. `why` says what keeps it listed; None where it needs nobody any more."""

    id: int
    partner: str
    round_id: str
    closed: bool
    why: str | None


class Recloser:
    """Calls the operator's function in the transaction that notes down what came of it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def close(self, ids: Sequence[int], by: str) -> list[Reclosed]:
        """Close these, halving a batch that is refused until the one that is stands alone."""
        done = [one for start in range(0, len(ids), BATCH) for one in await self._batch(ids[start : start + BATCH], by)]
        return sorted(done, key=lambda one: one.id)

    async def close_within(self, connection: Session, id: int, by: str) -> Reclosed | None:  # noqa: A002 - the contract's word
        """Close one within a transaction that goes on, whatever the function does."""
        tries = TRIES
        while True:
            try:
                async with connection.transaction():
                    await Transaction(connection).rows("session/limit_waits", lock_timeout=LOCK_TIMEOUT)
                    closed = next(iter(await _close(connection, [id], by)), None)
                    await connection.execute("SET CONSTRAINTS ALL IMMEDIATE")  # not only at the COMMIT
                    return closed
            except psycopg.Error as error:
                trouble = await trouble_with(error, connection)
                if trouble is ErrorClass.AWAY:
                    raise
                tries -= 1
                if trouble is not ErrorClass.BUSY or tries == 0:
                    return await note_refusal(connection, id, said(error))
            await asyncio.sleep(PAUSE)

    async def _batch(self, ids: Sequence[int], by: str, *, halved: bool = False) -> list[Reclosed]:
        tries = 1 if halved else TRIES
        while True:
            try:
                async with self._database.connection() as connection, connection.transaction():
                    await Transaction(connection).rows("session/raise_durability")
                    timeout = SHORT_LOCK_TIMEOUT if halved else LOCK_TIMEOUT
                    await Transaction(connection).rows("session/limit_waits", lock_timeout=timeout)
                    return await _close(connection, ids, by)
            except psycopg.Error as error:
                # Where the server answers others, it may be the function that ends the session.
                ended = isinstance(error, EndedError) and await self._database.prompt().writable()
                if isinstance(error, AwayError) and not ended:
                    raise
                tries -= 1
                if not (ended or isinstance(error, BusyError)) or tries == 0:
                    refusal = error
                    break
            await asyncio.sleep(PAUSE)
        if len(ids) == 1:
            async with self._database.connection() as connection, connection.transaction():
                one = await note_refusal(connection, ids[0], said(refusal))
            return [one] if one else []
        half = len(ids) // 2
        first = await self._batch(ids[:half], by, halved=True)
        return [*first, *await self._batch(ids[half:], by, halved=True)]


async def _close(connection: Session, ids: Sequence[int], by: str) -> list[Reclosed]:
    """Close rounds and note down what came of each; one that is in no conflict any more is left out."""
    transaction = Transaction(connection)
    rows = await transaction.rows("review/reclose_rounds", ids=list(ids), unasked=details.UNASKED)
    await connection.undo()
    # A statement of its own, so that it sees what has just been closed, by the function or by somebody else.
    open_ids = {row.id for row in await transaction.rows("review/find_open_rounds", ids=[row.id for row in rows])}
    found = []
    for row in rows:
        look = RoundLook(row.closed, row.another, row.id in open_ids)
        found.append((row, verdict(look, row.detail, by, row.at, resolved=row.state == State.RESOLVED)))
    await transaction.rows(
        "review/record_reclosing",
        ids=[row.id for row, _ in found],
        conflicts=[noted.why is not None for _, noted in found],
        details=[noted.detail for _, noted in found],
    )
    return [
        Reclosed(row.id, row.partner, row.round_id, row.closed and noted.why is None, noted.why) for row, noted in found
    ]


async def note_refusal(connection: Session, id: int, words: str) -> Reclosed | None:  # noqa: A002
    """Keep one listed that the function raises for, with the database's words; None where others have closed it."""
    transaction = Transaction(connection)
    row = await transaction.row("review/list_reclose_candidates", ids=[id])
    if not row.conflict:
        return None
    noted = refused(row.detail, words)
    await transaction.rows("review/record_reclosing", ids=[id], conflicts=[True], details=[noted.detail])
    return Reclosed(id, row.partner, row.round_id, closed=False, why=words)
