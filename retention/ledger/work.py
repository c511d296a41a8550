"""What the engine asks of the ledger while a run is on."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from retention.core.backoff import BASE
from retention.core.discrepancies import Money
from retention.core.model import Claim, Kind, State
from retention.core.pacing import SPACING
from retention.ledger.answers import Claimed, Dropped, GivenUp, Sight, Written

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from retention.core.model import Settlement
    from retention.ledger.database import Database

LEAD = 1.0
"""Seconds: no slot is reserved while the fleet's next one lies further ahead than this."""

RECOVERY = 0.02
"""Share of the configured rate by which a throttled rate grows back each second."""

SETTLE_MARGIN = 5.0
"""Seconds that a lease reaches beyond slot and timeout, for the reply to be written."""

KEPT = 10.0
"""Seconds for which a claim stays ours whose reply is here and cannot be written yet."""

BEAT = 10.0
"""Seconds after its last sign of life when a run counts as abandoned."""


@dataclass(frozen=True, slots=True)
class LaneTerms:
    """One partner's terms for claims; `rate` in requests per second, `timeout` in seconds."""

    partner: str
    rate: float
    timeout: float
    max_attempts: int
    status_probe: bool


class WorkLedger:
    """The ledger as one process at work on one run sees it; `monotonic` is its clock, in seconds."""

    def __init__(
        self,
        database: Database,
        run_id: UUID,
        replica: str,
        idle_longer_than: float | None,
        monotonic: Callable[[], float],
    ) -> None:
        self._database = database.at_work()
        self._control = database.prompt()
        self._run_id = run_id
        self._replica = replica
        self._idle_longer_than = idle_longer_than
        self._monotonic = monotonic

    async def claim(self, kind: Kind, terms: LaneTerms, *, after: int, batch: int) -> Claimed:
        """Claim up to `batch` rounds whose id is beyond `after`, due retries first."""
        rows = await self._database.rows(
            "claim" if kind is Kind.CANCEL else "claim_probes",
            run_id=self._run_id,
            replica=self._replica,
            partner=terms.partner,
            lane=kind.value,
            after=after,
            batch=batch,
            rate=terms.rate,
            spacing=SPACING,
            recovery=RECOVERY,
            lead=LEAD,
            lease=terms.timeout + SETTLE_MARGIN,
            max_attempts=terms.max_attempts,
            status_probe=terms.status_probe,
            idle_longer_than=self._idle_longer_than,
        )
        now = self._monotonic()
        claims = tuple(self._claim(row, kind, terms, now) for row in rows if row.state == State.CLAIMED)
        return Claimed(
            open=not any(row.state == "gate_closed" for row in rows),
            claims=claims,
            dropped=tuple(
                Dropped(row.run_id, State(row.state), terms.partner, row.market, row.round_id, row.detail)
                for row in rows
                if row.id is not None and row.state != State.CLAIMED
            ),
            clock=next(row.at for row in rows if row.at is not None) - now if claims else None,
            step=next((row.step for row in rows if row.step is not None), None),
            last_id=max((row.id for row in rows if row.id is not None), default=0),
        )

    def _claim(self, row: Any, kind: Kind, terms: LaneTerms, now: float) -> Claim:
        slot = now + row.until_slot
        return Claim(
            row.id,
            row.run_id,
            row.attempt_uuid,
            kind,
            terms.partner,
            row.market,
            row.game_id,
            row.user_id,
            row.round_id,
            row.tries,
            row.probes,
            row.doubtful,
            row.refused,
            slot,
            slot + terms.timeout + SETTLE_MARGIN,
        )

    async def reserve(self, kind: Kind, terms: LaneTerms, claims: Sequence[Claim]) -> list[Claim]:
        """New slots and leases for claims that missed theirs: for the first of them, as many as LEAD seconds hold.

        What is left out may be lost meanwhile.
        """
        rows = await self._database.rows(
            "reserve",
            partner=terms.partner,
            lane=kind.value,
            ids=[claim.cancellation_id for claim in claims],
            uuids=[claim.uuid for claim in claims],
            rate=terms.rate,
            spacing=SPACING,
            recovery=RECOVERY,
            lead=LEAD,
            lease=terms.timeout + SETTLE_MARGIN,
        )
        now = self._monotonic()
        slots = {row.id: now + row.until_slot for row in rows}
        kept = [
            dataclasses.replace(claim, slot=slot, expires=slot + terms.timeout + SETTLE_MARGIN)
            for claim in claims
            if (slot := slots.get(claim.cancellation_id)) is not None
        ]
        return sorted(kept, key=lambda claim: claim.slot)

    async def release(self, claims: Sequence[Claim]) -> int:
        """Hand claims back whose requests have not left; how many of them were still ours."""
        return await self._database.count("release", uuids=[claim.uuid for claim in claims])

    async def settle(
        self,
        batch: Sequence[Settlement],
        close_error: str | None = None,
        *,
        again: bool = False,
    ) -> tuple[dict[UUID, Written], str | None]:
        """Write a batch, of which no two are for the same cancellation; `again`, where an earlier try may have done it.

        Returns what was written, by attempt, and the run's newest replies for the failure-ratio rail (None where the
        batch held none). With `close_error` the operator's function is not called, and the words go to `detail`.
        """
        rows = await self._database.rows(
            "settle",
            run_id=self._run_id,
            close_error=close_error,
            again=again,
            replies=orjson.dumps([_written(item) for item in batch], default=str).decode(),
        )
        by_uuid = {item.claim.uuid: item for item in batch}
        written = {
            row.uuid: Written(row.conflict, _discrepant(by_uuid[row.uuid], row)) for row in rows if row.id is not None
        }
        return written, next((row.recent for row in rows if row.recent is not None), None)

    async def keep(self, claims: Sequence[Claim]) -> None:
        """Let nobody take these for lost: their replies are here, and are going to be written."""
        await self._control.count(
            "keep", ids=[claim.cancellation_id for claim in claims], uuids=[claim.uuid for claim in claims], kept=KEPT
        )

    async def recover(self, terms: LaneTerms, run_ids: Sequence[UUID]) -> list[Any]:
        """Turn claims of those runs whose lease has run out into doubts."""
        return await self._database.rows(
            "recover",
            partner=terms.partner,
            run_ids=list(run_ids),
            status_probe=terms.status_probe,
            max_attempts=terms.max_attempts,
            back_off=BASE,
        )

    async def watch(self, partners: Sequence[str]) -> Sight:
        """Give a sign of life and look what has become of the run."""
        row = await self._control.row("watch", run_id=self._run_id, beat=BEAT, partners=list(partners))
        return Sight(
            row.status,
            row.halt_reason,
            frozenset(row.halted_partners),
            row.overdue,
            row.paused,
            frozenset(row.throttled),
        )

    async def throttle(self, terms: LaneTerms, pause: float) -> None:
        """Let every replica leave the partner alone for `pause` seconds."""
        await self._control.count("throttle", partner=terms.partner, rate=terms.rate, pause=pause)

    async def halt(self, reason: str, *, paused: bool = False) -> bool:
        """Stop the run for all replicas, `paused` by the kill switch; whether this call did it."""
        halted = await self._control.count(
            "halt_run", run_id=self._run_id, replica=self._replica, reason=reason, paused=paused
        )
        return halted > 0

    async def halt_partner(self, partner: str) -> bool:
        """Stop calling one partner in this run; whether this process was the first to say so."""
        return await self._control.count("halt_partner", run_id=self._run_id, partner=partner) > 0

    async def give_up(self, partner: str | None, why: str) -> list[GivenUp]:
        """Send nothing more, to one partner or to all; what that ends, by partner, market and state."""
        rows = await self._database.rows("give_up", run_id=self._run_id, partner=partner, why=why)
        return [GivenUp(row.partner, row.market, State(row.state), row.rounds) for row in rows]

    async def reached(self, partner: str, within: float | None) -> bool:
        """Whether some process could reach the partner in this run: ever, or in the last so many seconds."""
        row = await self._database.row("reached", run_id=self._run_id, partner=partner, within=within)
        return bool(row.reached)

    async def finish(self, status: str, reason: str | None) -> bool:
        """End the run if nothing is left to do; whether this call did it."""
        ended = await self._database.row(
            "finish_run", run_id=self._run_id, replica=self._replica, status=status, reason=reason
        )
        return ended is not None

    async def leave(self) -> None:
        """Go, without ending the run."""
        await self._control.count("leave_run", run_id=self._run_id)


def _written(item: Settlement) -> dict[str, object]:
    """A settlement as the statement reads it. An amount becomes text, and never a float."""
    return {
        "id": item.claim.cancellation_id,
        "uuid": item.claim.uuid,
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
        "detail": item.detail,
        "due_in": item.due_in,
        "doubtful": item.doubtful,
        "refused": item.refused,
        "failed": item.failed,
    }


def _discrepant(item: Settlement, row: Any) -> bool:
    """Whether what the vendor promised differs from what the operator has on record."""
    promised = Money(item.amount, item.currency, item.transaction_id)
    return promised.differs_from(Money(row.stake, row.stake_currency, row.bet_transaction_id))
