"""Reads the frozen set of a run, round by round: any number of rounds needs little memory."""

from __future__ import annotations

from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from retention.ledger.records import record

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID

    from retention.ledger.database import Database


@dataclass(frozen=True, slots=True)
class SetRound:
    """A round of the set, and its outcome. Stake and refund are in currency units.

    `settled_at` is None until the round came to an end. `adopted_by_run`: the later run that settles its doubt.
    """

    id: int
    partner: str
    market: str
    game_id: str | None
    user_id: str
    round_id: str
    opened_at: datetime
    stake: Decimal | None
    stake_currency: str | None
    bet_transaction_id: str | None
    state: str
    resolved_as: str | None
    error_code: str | None
    description: str | None
    detail: str | None
    conflict: bool
    attempts: int
    currency: str | None
    amount: Decimal | None
    transaction_id: str | None
    settled_at: datetime | None
    adopted_by_run: UUID | None
    last_activity_at: datetime | None
    winnings: Decimal | None


SET_COLUMNS = tuple(field.name for field in fields(SetRound))
"""The names of a round's values, in the order of the files."""


@asynccontextmanager
async def read_run_set(database: Database, run_id: UUID) -> AsyncIterator[AsyncIterator[SetRound]]:
    """Stream the rounds of a run's set while the context is open, as of one moment."""
    async with database.transaction(snapshot=True) as transaction:
        rows = transaction.stream("reports/list_run_set", run_id=run_id)
        async with aclosing(rows), aclosing(_rounds(rows)) as rounds:
            yield rounds


async def _rounds(rows: AsyncIterator[Any]) -> AsyncGenerator[SetRound, None]:
    async for row in rows:
        yield record(SetRound, row)
