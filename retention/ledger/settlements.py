"""Settlements: what came of requests, written together with the operator's own table, and kept until it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from retention.core.evidence.discrepancies import Payment
from retention.core.model import CANCELLED_STATES
from retention.core.sending.pacing import LOOK_GOOD_S
from retention.ledger import details
from retention.ledger.results import SettledBatch, SettledRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from retention.core.model import Claim, Settlement
    from retention.core.sending.pacing import DatabaseClock
    from retention.ledger.database import Database

KEPT = 10.0
"""Seconds for which a claim stays this process's whose request is on its way, or whose reply is not written yet."""


class Settlements:
    """The settlements of one process at work on one run."""

    def __init__(self, database: Database, run_id: UUID, replica: str, clock: DatabaseClock) -> None:
        self._database = database.at_work()
        self._control = database.prompt()
        self._run_id = run_id
        self._replica = replica
        self._clock = clock

    async def settle(
        self, batch: Sequence[Settlement], close_error: str | None = None, *, again: bool = False
    ) -> SettledBatch:
        """Write a batch, of which no two are for the same cancellation; `again`, where an earlier try may have done it.

        With `close_error` the operator's function is not called, and the words go to `detail`.
        """
        async with self._database.foreign(
            # Naming a function that is gone, or may not be called, is refused though it is not called.
            "settlements/settle_replies" if close_error is None else "settlements/settle_without_closing",
            run_id=self._run_id,
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
            # A statement of its own, so that it sees what the function has done.
            left_open = await transaction.rows(
                "settlements/mark_left_open", run_id=self._run_id, ids=closed, detail=details.LEFT_OPEN
            )
        return settled if not left_open else _with_left_open(settled, left_open)

    async def writable(self) -> bool:
        """Whether another statement would be answered just now. Raises one of AWAY."""
        return await self._control.writable()

    async def keep(self, claims: Sequence[Claim]) -> None:
        """Let nobody take these for lost: their requests are on their way, or their replies are not written yet."""
        await self._control.count(
            "claims/extend_leases",
            ids=[claim.cancellation_id for claim in claims],
            uuids=[claim.uuid for claim in claims],
            kept=KEPT,
        )

    async def restore(self, claims: Sequence[Claim]) -> dict[str, int | None]:
        """Put attempts on record again whose commit the database has lost; those that it still has are left alone.

        Returns, for each attempt that was missing, the cancellation that it belongs to; None where the ledger does not
        have the round any more.
        """
        rows = await self._database.tuples(
            "claims/restore_attempts",
            run_id=self._run_id,
            replica=self._replica,
            claims=orjson.dumps([_claim_row(claim, self._clock.ahead or 0.0) for claim in claims]).decode(),
            kept=KEPT,
        )
        return dict(rows)


def _settled(rows: Sequence[tuple[Any, ...]], by_uuid: Mapping[str, Settlement]) -> SettledBatch:
    written: dict[str, SettledRow] = {}
    missing: list[str] = []
    recent, recent_again, refused_closings = None, None, None
    for number, uuid, conflict, stake, currency, bet_transaction_id, *counts in rows:
        if number is not None:
            staked = Payment(stake, currency, bet_transaction_id)
            written[uuid] = SettledRow(conflict, promised(by_uuid[uuid]).differs_from(staked))
        elif uuid is not None:
            missing.append(uuid)
        else:
            recent, recent_again, refused_closings = counts
    return SettledBatch(written, recent, recent_again, refused_closings, tuple(missing))


def _closed(settled: SettledBatch, batch: Sequence[Settlement]) -> list[int]:
    """The cancellations whose rounds the function says it has closed."""
    return [
        item.claim.cancellation_id
        for item in batch
        if item.state in CANCELLED_STATES
        and (done := settled.written.get(item.claim.uuid)) is not None
        and not done.conflict
    ]


def _with_left_open(settled: SettledBatch, left_open: Sequence[Any]) -> SettledBatch:
    """The same, where the operator's view still has rounds that the function has returned."""
    written = settled.written | {
        row.uuid: settled.written[row.uuid]._replace(conflict=True) for row in left_open if row.uuid in settled.written
    }
    return settled._replace(written=written, refused_closings=left_open[0].refused_closings)


def _claim_row(claim: Claim, clock_offset_s: float) -> dict[str, object]:
    """A claim as the statement reads it; `claimed_at` in Unix seconds of the database's clock."""
    return {
        "id": claim.cancellation_id,
        "uuid": claim.uuid,
        "kind": claim.kind,
        "partner": claim.partner,
        "round_id": claim.round_id,
        "user_id": claim.user_id,
        "claimed_at": claim.leave_by - LOOK_GOOD_S + clock_offset_s,
        "may_have_taken_effect": claim.doubtful,
    }


def settlement_row(item: Settlement) -> dict[str, object]:
    """A settlement as the statement reads it. An amount becomes text, and never a float; what is not there is NULL."""
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
        "may_have_taken_effect": item.doubtful,
        "refusal_pending_probe": item.refused,
    }
    # Left out where there is none, as nearly always: the database reads what it is given word by word.
    for name in ("detail", "due_in", "failed", "review"):
        if (value := getattr(item, name)) is not None:
            row[name] = value
    for name in ("uncounted", "incomplete"):
        if getattr(item, name):
            row[name] = True
    return row


def promised(item: Settlement) -> Payment:
    """What the vendor promised."""
    return Payment(item.amount, item.currency, item.transaction_id)
