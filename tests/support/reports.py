"""A round and its report for tests without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any, BinaryIO, TextIO, cast
from uuid import UUID

from retention.core.evidence.checkpoint import Checkpoint
from retention.render.output import Output
from retention.reports.kinds.cancelled import ReportRound, Total
from retention.reports.report import Report, ReportHead, Selection, columns_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

AT = datetime(2025, 3, 5, 3, tzinfo=UTC)

ROUND = ReportRound(
    partner="acme",
    market="MT",
    game_id=None,
    user_id="U-1",
    round_id="R-1",
    opened_at=AT - timedelta(days=4),
    outcome="cancelled",
    cancelled_at=AT,
    currency="EUR",
    amount=Decimal("12.500"),
    stake_currency="EUR",
    stake=Decimal("12.500"),
    transaction_id="T1",
    uuid=UUID(int=1),
    run_id=UUID(int=2),
    policy="nightly",
    trigger="on_demand",
    requested_by="ann",
    reason=None,
    evidence=None,
    approved_by=None,
    discrepancies=(),
)
"""A cancelled round whose refund is its stake."""


def report_of(*rounds: ReportRound, totals: tuple[Total, ...] = (), selection: Selection | None = None) -> Report:
    """Make an open report of these rounds, as of `AT`."""

    async def each() -> AsyncIterator[ReportRound]:
        for item in rounds:
            yield item

    selection = selection or Selection()
    head = ReportHead(UUID(int=9), selection, AT, "ann", Checkpoint("ledger", 17, "+a root"), "retention 0.0.0")
    count = sum(total.count for total in totals) if totals else len(rounds)
    return Report(head, columns_of(ReportRound), each(), count, columns_of(Total), totals)


def output_to(file: IO[Any]) -> Output:
    """Make an output of a text or of bytes in memory."""
    return Output(cast("TextIO", file), cast("BinaryIO", file))
