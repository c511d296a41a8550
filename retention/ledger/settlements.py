"""Settlements: the outcomes of requests, written in one transaction with the operator's `close_rounds`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from retention.core.evidence.discrepancies import Payment
from retention.core.model import CANCELLED_STATES
from retention.ledger import details
from retention.ledger.first_id import FirstId
from retention.ledger.results import SettledBatch, SettledRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from retention.core.model import Settlement
    from retention.ledger.database import Database


class Settlements:
    """Writes the settlements of one process in one run."""

    def __init__(self, database: Database, run_id: UUID, replica: str, first_id: FirstId | None = None) -> None:
        self._database = database.bulk()
        self._control = database.control()
        self._run_id = run_id
        self._replica = replica
        self._first_id = first_id or FirstId()

    async def settle_replies(
        self, batch: Sequence[Settlement], close_error: str | None = None, *, again: bool = False
    ) -> SettledBatch:
        """Write a batch with at most one settlement per cancellation; `again`: an earlier try may have written it.

        With `close_error` the operator's function is not called, and that text goes to `detail`.
        """
        async with self._database.operator_call(
            # PostgreSQL refuses a statement that names a missing or forbidden function even if it does not call it.
            "settlements/settle_replies" if close_error is None else "settlements/settle_without_closing",
            run_id=self._run_id,
            first_id=self._first_id.value,
            replica=self._replica,
            close_error=close_error,
            again=again,
            unasked=details.UNASKED,
            not_returned=details.NOT_RETURNED,
            not_open=details.NOT_OPEN,
            replies=orjson.dumps([settlement_row(item) for item in batch], default=str).decode(),
        ) as (rows, transaction):
            settled = _settled(rows, {item.claim.uuid: item for item in batch})
            if close_error is not None or not (closed := _closed(settled, batch)):
                return settled
            # Only a second statement sees the changes that the function made.
            left_open = await transaction.rows(
                "settlements/mark_left_open",
                run_id=self._run_id,
                first_id=self._first_id.value,
                replica=self._replica,
                ids=closed,
                detail=details.LEFT_OPEN,
            )
        return settled if not left_open else _with_left_open(settled, left_open)

    async def writable(self) -> bool:
        """Whether the database accepts writes now. Raises one of UNAVAILABLE."""
        return await self._control.writable()


def _settled(rows: Sequence[tuple[Any, ...]], by_uuid: Mapping[str, Settlement]) -> SettledBatch:
    written: dict[str, SettledRow] = {}
    missing: list[str] = []
    recent, recent_tried_before, refused_closings = None, None, None
    for number, uuid, conflict, stake, currency, bet_transaction_id, *counts in rows:
        if number is not None:
            staked = Payment(stake, currency, bet_transaction_id)
            written[uuid] = SettledRow(conflict, promised(by_uuid[uuid]).differs_from(staked))
        elif uuid is not None:
            missing.append(uuid)
        else:
            recent, recent_tried_before, refused_closings = counts
    return SettledBatch(written, recent, recent_tried_before, refused_closings, tuple(missing))


def _closed(settled: SettledBatch, batch: Sequence[Settlement]) -> list[int]:
    """Find the cancellations whose rounds the function reports as closed."""
    return [
        item.claim.cancellation_id
        for item in batch
        if item.state in CANCELLED_STATES
        and (done := settled.written.get(item.claim.uuid)) is not None
        and not done.conflict
    ]


def _with_left_open(settled: SettledBatch, left_open: Sequence[Any]) -> SettledBatch:
    """Mark as conflicts the rounds that the function reported as closed and the operator's view still shows."""
    written = settled.written | {
        row.uuid: settled.written[row.uuid]._replace(conflict=True) for row in left_open if row.uuid in settled.written
    }
    return settled._replace(written=written, refused_closings=left_open[0].refused_closings)


def settlement_row(item: Settlement) -> dict[str, object]:
    """A settlement as the statement reads it. An amount becomes text, never a float; a missing value becomes NULL."""
    claim = item.claim
    row: dict[str, object] = {
        "id": claim.cancellation_id,
        "uuid": claim.uuid,
        "kind": claim.kind,
        "state": item.state,
        "outcome": item.outcome,
        "sent_at": item.sent_at,
        "replied_at": item.replied_at,
        "http_status": item.http_status,
        "error_code": item.error_code,
        "description": item.description,
        "currency": item.currency,
        "amount": item.amount,
        "transaction_id": item.transaction_id,
        "may_have_taken_effect": item.may_have_taken_effect,
        "refusal_pending_probe": item.refusal_pending_probe,
    }
    # Rare values are left out, because the database's JSON parser costs time for each key.
    for name in ("detail", "due_in", "failed", "review", "winnings"):
        if (value := getattr(item, name)) is not None:
            row[name] = value
    for name in ("uncounted", "incomplete"):
        if getattr(item, name):
            row[name] = True
    return row


def promised(item: Settlement) -> Payment:
    """The refund that the vendor promised."""
    return Payment(item.amount, item.currency, item.transaction_id)
