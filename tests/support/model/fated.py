"""Statements that settle, each with a fate: done, done with its answer lost, or never begun."""

from __future__ import annotations

import asyncio
import enum
from typing import TYPE_CHECKING

from retention.ledger.database_errors import ServerUnavailableError
from retention.ledger.settlements import Settlements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retention.core.model import Settlement
    from retention.ledger.results import SettledBatch, SettledRow


class Fate(enum.Enum):
    """How a statement ends for the replica that waits for its answer."""

    DONE = "done"
    UNHEARD = "done, and the answer lost"
    LOST = "never begun"


class FatedSettlements(Settlements):
    """The settlements of a ledger. After a lost answer, the next try waits for the next `write` of the model.

    `results` holds each settlement with its row, as far as statements ran, whether their answers arrived or not.
    """

    def __init__(self, settlements: Settlements) -> None:
        vars(self).update(vars(settlements))
        self.results: list[tuple[Settlement, SettledRow | None]] = []
        self.waits = asyncio.Event()
        self._fate: Fate | None = None
        self._fate_came = asyncio.Event()

    def decide(self, fate: Fate) -> None:
        """Let the next statement end like this, and those after it as usual."""
        self._fate = fate
        self.results = []
        self.waits.clear()
        self._fate_came.set()

    async def settle_replies(
        self, batch: Sequence[Settlement], close_error: str | None = None, *, again: bool = False
    ) -> SettledBatch:
        """Settle, or not."""
        if self._fate is None:
            self.waits.set()
            await self._fate_came.wait()
        fate = self._fate
        if fate is not Fate.DONE:
            self._fate = None
            self._fate_came.clear()
        if fate is Fate.LOST:
            raise ServerUnavailableError("the statement was never begun")
        settled = await super().settle_replies(batch, close_error, again=again)
        self.results += [
            (item, settled.written.get(item.claim.uuid)) for item in batch if item.claim.uuid not in settled.missing
        ]
        if fate is Fate.UNHEARD:
            raise ServerUnavailableError("the answer is lost")
        return settled
