"""The smallest id among a run's rows: the statements of its engine look at no month before it.

A ledger has a partition for each month. A claim that does not say where it looks would open all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from retention.ledger.database_errors import UNAVAILABLE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from retention.ledger.database import Database


@dataclass(slots=True)
class FirstId:
    """The smallest id of a run's rows, its own and the adopted ones; 0 while unknown: then no month is left out."""

    value: int = 0

    async def find(self, database: Database, run_id: UUID, partners: Iterable[str]) -> None:
        """Find it in the ledger. Where the ledger is away, it stays unknown: statements are slower, and right."""
        try:
            row = await database.control().row("claims/find_first_id", run_id=run_id, partners=[*partners])
        except UNAVAILABLE:
            return
        self.value = row.id or 0

    def include(self, ids: Iterable[int | None]) -> None:
        """Look as far back as these rows, too: attempts that were lost may belong to earlier ones."""
        self.value = min([self.value, *(number for number in ids if number is not None)])
