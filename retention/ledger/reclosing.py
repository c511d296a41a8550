"""Recloses rounds: cancelled at the vendor, but not yet closed by the operator's function.

`review reclose` and `review resolve --as cancelled` call `close_rounds` in the transaction that records its result. A
person's decision is recorded before, in its own: what is cut short between the two stays listed as a conflict. They
read the view afterwards, and leave `conflict` set while the view shows the round, or another round under its id.
For another round the function is not called. Resolutions made before this rule are listed once.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg

from retention.core.evidence.closing import ClosingResult, closing_note, refusal_note
from retention.core.model import State
from retention.ledger import details
from retention.ledger.database import Transaction
from retention.ledger.database_errors import (
    BusyError,
    ServerUnavailableError,
    SessionEndedError,
    short_message,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retention.ledger.database import Database
    from retention.ledger.session import Session

BATCH_ROUNDS_MAX = 100
"""Rounds that one transaction closes at most."""

TRIES_MAX = 3
"""Tries of a batch that other sessions block."""

RETRY_PAUSE_S = 0.5
"""Seconds between tries."""

LOCK_TIMEOUT = "5s"
"""The longest wait for a lock."""

NO_LOCK_TIMEOUT = "0"

SHORT_LOCK_TIMEOUT = "200ms"
"""The longest wait for a lock while a batch is halved, because another session has locked one of its rounds."""


@dataclass(frozen=True, slots=True)
class Reclosed:
    """The result for one cancellation. `why` says why it still needs review; None if it does not."""

    id: int
    partner: str
    round_id: str
    closed: bool
    why: str | None


class Recloser:
    """Calls the operator's function in the transaction that records the result.

    `after`: the decision that closes the rounds, `resolved`; None where closing them is a decision of its own.
    """

    def __init__(self, database: Database, after: str | None = None) -> None:
        self._database = database
        self._after = after

    async def reclose(self, ids: Sequence[int], by: str) -> list[Reclosed]:
        """Close the rounds of these cancellations; a refused batch is halved until the refused round stands alone."""
        done = [
            one
            for start in range(0, len(ids), BATCH_ROUNDS_MAX)
            for one in await self._batch(ids[start : start + BATCH_ROUNDS_MAX], by)
        ]
        return sorted(done, key=lambda one: one.id)

    async def _batch(self, ids: Sequence[int], by: str, *, halved: bool = False) -> list[Reclosed]:
        tries = 1 if halved else TRIES_MAX
        while True:
            try:
                async with self._database.connection() as connection, connection.transaction():
                    await Transaction(connection).rows("session/raise_durability")
                    timeout = SHORT_LOCK_TIMEOUT if halved else LOCK_TIMEOUT
                    await Transaction(connection).rows("session/limit_waits", lock_timeout=timeout)
                    return await _close(connection, ids, by, self._after)
            except psycopg.Error as error:
                # If the server answers other connections, the function itself may have ended the session.
                ended = isinstance(error, SessionEndedError) and await self._database.control().writable()
                if isinstance(error, ServerUnavailableError) and not ended:
                    raise
                tries -= 1
                if not (ended or isinstance(error, BusyError)) or tries == 0:
                    refusal = error
                    break
            await asyncio.sleep(RETRY_PAUSE_S)
        if len(ids) == 1:
            async with self._database.connection() as connection, connection.transaction():
                words = short_message(refusal)
                one = await _record_refusal(connection, ids[0], by, self._after, words)
            return [one] if one else []
        half = len(ids) // 2
        first = await self._batch(ids[:half], by, halved=True)
        return [*first, *await self._batch(ids[half:], by, halved=True)]


async def _close(connection: Session, ids: Sequence[int], by: str, after: str | None) -> list[Reclosed]:
    """Close rounds and record each result; rounds that are no longer in conflict are left out."""
    transaction = Transaction(connection)
    rows = await transaction.rows("review/reclose_rounds", ids=list(ids), unasked=details.UNASKED)
    await connection.reset_settings()
    # Only a second statement sees the rounds that the function, or another session, has just closed.
    open_ids = {row.id for row in await transaction.rows("review/find_open_rounds", ids=[row.id for row in rows])}
    found = []
    for row in rows:
        result = ClosingResult(row.closed, row.another, row.id in open_ids)
        found.append((row, closing_note(result, row.detail, by, row.at, resolved=row.state == State.RESOLVED)))
    await transaction.rows(
        "review/record_reclosing",
        ids=[row.id for row, _ in found],
        conflicts=[noted.why is not None for _, noted in found],
        details=[noted.detail for _, noted in found],
        by=by,
        after=after,
    )
    return [
        Reclosed(row.id, row.partner, row.round_id, row.closed and noted.why is None, noted.why) for row, noted in found
    ]


async def _record_refusal(
    connection: Session,
    id: int,  # noqa: A002
    by: str,
    after: str | None,
    words: str,
) -> Reclosed | None:
    """Record that the function refused a round, with the database's message; None if the round is closed by now."""
    transaction = Transaction(connection)
    row = await transaction.row("review/list_reclose_candidates", ids=[id])
    if not row.conflict:
        return None
    noted = refusal_note(row.detail, words)
    noting = {"ids": [id], "conflicts": [True], "details": [noted.detail]}
    await transaction.rows("review/record_reclosing", by=by, after=after, **noting)
    return Reclosed(id, row.partner, row.round_id, closed=False, why=words)
