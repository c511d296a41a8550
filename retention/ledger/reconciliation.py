"""Reconciliation in the ledger: the rounds to compare, the other sides in this database, and the findings.

Batches go by id, each in statements of its own: a snapshot over a whole ledger would hold back its clean-up for as long
as the vendor needs to answer.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from retention.core.evidence.reconciliation import REFUNDS_TOLD, LedgerSide, Operator, Refund
from retention.core.model import CANCELLED_STATES, Kind
from retention.core.sending.pacing import HORIZON_S, DatabaseClock
from retention.ledger.records import record, records
from retention.ledger.slots import slot_parameters, throttle_partner
from retention.ledger.wallet import has_wallet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from retention.core.evidence.reconciliation import FindingKind, Sides
    from retention.core.model import Settlement
    from retention.ledger.database import Database
    from retention.ledger.terms import PartnerTerms


@dataclass(frozen=True, slots=True)
class ReconcileScope:
    """The cancellations to compare: they got their outcome at or after `start` and before `end`. None is no limit."""

    start: datetime | None = None
    end: datetime | None = None
    market: str | None = None
    run_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class SettledRound:
    """A settled cancellation, as it was when it was listed."""

    id: int
    run_id: UUID
    partner: str
    market: str
    user_id: str
    round_id: str
    opened_at: datetime
    outcome: str


class LocalSides(NamedTuple):
    """The sides of a cancellation that this database has. `refunds` is None where there is no view of the wallet."""

    ledger: LedgerSide
    operator: Operator
    refunds: Sequence[Refund] | None
    now: datetime


class NewFinding(NamedTuple):
    """A finding to keep, with the outcome that was compared."""

    cancellation_id: int
    kind: FindingKind
    outcome: str
    sides: Sides


class KeptFinding(NamedTuple):
    """A finding that holds: whether it is new, and whether a person has resolved it before."""

    id: int
    kind: str
    new: bool
    resolved: bool


@dataclass(frozen=True, slots=True)
class Reservation:
    """Slots for questions, in seconds of this process's clock, and the database's clock minus that clock.

    Without slots: who pauses the partner, or whether the vendor does; neither where all slots are taken.
    """

    slots: tuple[float, ...] = ()
    clock_offset_s: float = 0.0
    paused_by: str | None = None
    by_vendor: bool = False


class Reconciliations:
    """Reads and writes for one process. `monotonic` is its clock, in seconds."""

    def __init__(self, database: Database, replica: str, monotonic: Callable[[], float]) -> None:
        self._database = database
        self._control = database.control()
        self._replica = replica
        self._monotonic = monotonic
        self._clock = DatabaseClock()

    async def has_wallet(self) -> bool:
        """Whether the operator has a view of the wallet. Raises SchemaError for one that cannot be read."""
        return await has_wallet(self._database)

    async def ensure_partners(self, partners: Sequence[str]) -> None:
        """Make the rows that hold the partners' rates, where they are missing."""
        await self._database.count("plans/ensure_partners", partners=list(partners))

    async def list_rounds(self, scope: ReconcileScope, after: int, batch: int) -> list[SettledRound]:
        """List the next cancellations of the scope with ids above `after`."""
        rows = await self._database.rows(
            "reconciliation/list_rounds",
            after=after,
            batch=batch,
            start=scope.start,
            end=scope.end,
            market=scope.market,
            run_id=scope.run_id,
        )
        return records(SettledRound, rows)

    async def read_sides(self, ids: Sequence[int], *, wallet: bool) -> dict[int, LocalSides]:
        """Read the words of ledger, operator's view and wallet as they are now, by cancellation."""
        rows = await self._database.rows("reconciliation/compare_rounds", ids=list(ids))
        cancelled = [row.id for row in rows if row.outcome in CANCELLED_STATES]
        refunds = await self._refunds(cancelled) if wallet else None
        return {
            row.id: LocalSides(
                LedgerSide(
                    row.outcome, row.at, row.amount, row.currency, row.stake, row.stake_currency, resolved=row.resolved
                ),
                Operator.SAME if row.same else Operator.ANOTHER if row.rows else Operator.CLOSED,
                None if refunds is None or row.outcome not in CANCELLED_STATES else refunds.get(row.id, ()),
                row.now,
            )
            for row in rows
        }

    async def _refunds(self, ids: Sequence[int]) -> Mapping[int, Sequence[Refund]]:
        found: defaultdict[int, list[Refund]] = defaultdict(list)
        for row in await self._database.rows("reconciliation/list_refunds", ids=list(ids), shown=REFUNDS_TOLD + 1):
            found[row.id].append(record(Refund, row))
        return found

    async def insert_findings(self, found: Sequence[NewFinding]) -> list[KeptFinding]:
        """Keep findings, each kind once for each cancellation; returns the ones that still hold."""
        if not found:
            return []
        rows = await self._database.durable().rows(
            "reconciliation/insert_findings",
            ids=[one.cancellation_id for one in found],
            kinds=[str(one.kind) for one in found],
            outcomes=[one.outcome for one in found],
            ledger=[one.sides.ledger for one in found],
            vendor=[one.sides.vendor for one in found],
            operator=[one.sides.operator for one in found],
            wallet=[one.sides.wallet for one in found],
        )
        return records(KeptFinding, rows)

    async def reserve_questions(
        self, terms: PartnerTerms, wanted: int, rounds: Sequence[tuple[str, SettledRound]] = ()
    ) -> Reservation:
        """Reserve slots for up to `wanted` questions; the attempts of `rounds` (uuid, round) are on record then."""
        queried = self._monotonic()
        rows = await self._database.rows(
            "reconciliation/reserve_questions",
            replica=self._replica,
            wanted=wanted,
            uuids=[uuid for uuid, _ in rounds],
            ids=[one.id for _, one in rounds],
            run_ids=[one.run_id for _, one in rounds],
            **slot_parameters(terms, Kind.STATUS, horizon=HORIZON_S, head_start=self._clock.delay_s),
        )
        first = rows[0]
        waits = Reservation(paused_by=first.paused_by, by_vendor=first.by_vendor)
        if first.slot is None:
            return waits
        offset_s = self._clock.observe(queried, first.at, self._monotonic())
        return replace(waits, slots=tuple(row.slot - offset_s for row in rows), clock_offset_s=offset_s)

    async def throttle_partner(self, terms: PartnerTerms, pause: float) -> float | None:
        """Stop the calls of every replica to the partner for `pause` seconds, and halve its rates.

        Returns the new rate of its group, where that is halved too.
        """
        return await throttle_partner(self._control, terms, pause)

    async def record_answers(self, items: Sequence[Settlement]) -> None:
        """Write the answers to their attempts."""
        if items:
            await self._database.rows(
                "reconciliation/record_answers",
                replica=self._replica,
                replies=orjson.dumps([_answer_row(item) for item in items], default=str).decode(),
            )

    async def record_reconciliation(self, run_id: UUID | None, facts: Mapping[str, Any]) -> None:
        """Leave evidence of a reconciliation that was made to its end."""
        await self._database.durable().rows(
            "reconciliation/record_reconciliation",
            run_id=run_id,
            replica=self._replica,
            facts=orjson.dumps(facts, default=str).decode(),
        )


def _answer_row(item: Settlement) -> dict[str, object]:
    return {
        "uuid": item.claim.uuid,
        "sent_at": item.sent_at,
        "replied_at": item.replied_at,
        "http_status": item.http_status,
        "error_code": item.error_code,
        "outcome": item.outcome,
        "detail": item.detail,
    }
