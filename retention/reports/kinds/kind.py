"""The part of a kind of report: it reads rows and totals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from datetime import datetime

    from retention.ledger.database import Transaction
    from retention.reports.report import Configured, Selection


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of the ledger: the selection, the moment, and what is configured.

    `wallet`: whether the operator has the view `wallet_refunds`, looked at for WALLET_KINDS alone.
    """

    transaction: Transaction
    selection: Selection
    now: datetime
    configured: Configured
    wallet: bool


class ReportKind(Protocol):
    """Reads one kind of report."""

    @property
    def row(self) -> type:
        """The dataclass of its rows."""

    @property
    def total(self) -> type:
        """The dataclass of its totals."""

    async def totals(self, reading: Reading) -> tuple[tuple[Any, ...], int]:
        """Read the totals, and the number of rows."""

    def rows(self, reading: Reading) -> AsyncGenerator[Any, None]:
        """Read the rows, one by one."""
