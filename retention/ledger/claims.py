"""Claims: the leases under which one process sends requests for a run's rounds.

A claim's age counts from the moment its statement was sent, not answered. A claim that waited for a lock read the
view before the wait.

Expired leases are searched only when a process is idle, and every few seconds. A lease is a column without an index,
so that updates stay HOT. The run's totals tell in which blocks of ids there are claims, and only those are searched: a
scan of ten million rows takes seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from retention.core.model import Claim, Kind, State
from retention.core.sending.backoff import BASE_S
from retention.core.sending.pacing import HORIZON_S, LOOK_GOOD_S, PROBE_GOOD_S
from retention.ledger import details
from retention.ledger.first_id import FirstId
from retention.ledger.known_server import KnownServer
from retention.ledger.results import ClaimBatch, SkippedRound
from retention.ledger.slots import slot_parameters
from retention.ledger.terms import PartnerTerms as PartnerTerms  # noqa: PLC0414, TC001 - importers know it from here

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from retention.core.sending.pacing import DatabaseClock
    from retention.ledger.clocks import Clocks, Moment
    from retention.ledger.database import Database

NO_SLOT = "no_slot"
"""Stands in place of a state for a round that got no slot."""

NO_ID = 2**63 - 1
"""Greater than the id of every round: beyond it there is nothing to claim."""

LEASE_EXTENSION_S = 10.0
"""Seconds by which a lease is extended while its request is in flight or its reply is not written."""


class Claims:
    """Makes, extends, releases and expires claims, for one process and one run.

    `monotonic` is this process's clock, in seconds. `clock` estimates the database's clock from it.
    """

    def __init__(
        self,
        database: Database,
        run_id: UUID,
        replica: str,
        idle_longer_than: float | None,
        monotonic: Callable[[], float],
        clock: DatabaseClock,
        clocks: Clocks | None = None,
        server: KnownServer | None = None,
        first_id: FirstId | None = None,
    ) -> None:
        self._database = database.bulk()
        self._control = database.control()
        self._run_id = run_id
        self._replica = replica
        self._idle_longer_than = idle_longer_than
        self._monotonic = monotonic
        self._began = monotonic()
        self._clock = clock
        self._clocks = clocks
        self._server = server or KnownServer()
        self._first_id = first_id or FirstId()

    async def claim(
        self,
        kind: Kind,
        terms: PartnerTerms,
        *,
        after: int | None,
        batch: int,
        new: int | None = None,
        ids: Sequence[int] | None = None,
        due_first: bool = True,
        leave_tried: bool = False,
    ) -> ClaimBatch:
        """Claim up to `batch` rounds: new rounds with ids above `after`, and rounds whose retry is due.

        `after` is None where the plan is to be walked from its first unsettled round, which the ledger finds first.
        New rounds and retries alternate; `due_first` says which kind begins. `leave_tried` leaves out the rounds that
        an earlier run has tried. `new` limits, for probes, the claims of rounds that are not in doubt.
        `ids` names the cancellations to cancel: the vendor has just said that they are in progress.
        """
        if after is None:
            first = 1 if ids is not None else await self.find_first_unsettled(terms.partner, 0)
            after = NO_ID if first is None else first - 1
        queried, began = self._monotonic(), self._clocks.moment() if self._clocks else None
        rows = await self._database.tuples(
            "claims/claim_rounds" if kind is Kind.CANCEL else "claims/claim_probes",
            run_id=self._run_id,
            first_id=self._first_id.value,
            replica=self._replica,
            after=after,
            batch=batch,
            new=batch if new is None else min(new, batch),
            ids=None if ids is None else list(ids),
            due_first=due_first,
            leave_tried=leave_tried,
            **slot_parameters(terms, kind, horizon=HORIZON_S, head_start=self._clock.delay_s),
            lease=terms.lease,
            max_attempts=terms.max_attempts,
            status_probe=terms.status_probe,
            ask_first=terms.ask_first,
            told_within=self._server.told_within(PROBE_GOOD_S, self._began, queried),
            idle_longer_than=self._idle_longer_than,
            known_server=self._server.for_claims(terms.lease, queried),
            skip_details=details.SKIPPED,
        )
        claimed = self._batch_of(rows, kind, terms, queried, began)
        # Due retries lie below the cursor and are found without it; only new rounds hold it back.
        if new_unslotted := [number for number in claimed.unslotted if number > after]:
            claimed.last_id = min(claimed.last_id, min(new_unslotted) - 1)
        return claimed

    def _batch_of(
        self, rows: Sequence[tuple[Any, ...]], kind: Kind, terms: PartnerTerms, queried: float, began: Moment | None
    ) -> ClaimBatch:
        read = self._monotonic()
        lease = terms.lease
        claimed = ClaimBatch()
        for (
            number, run_id, state, market, game_id, user_id, round_id, uuid, tries, probes, doubtful, refused, detail,
            slot_at, at, step,
        ) in rows:  # fmt: skip
            if number is None:
                claimed.open = False
                break
            if state == NO_SLOT:
                claimed.unslotted.append(number)
                continue
            claimed.last_id = max(claimed.last_id, number)
            if slot_at is None:
                dropped = SkippedRound(run_id, State(state), terms.partner, market, round_id, detail)
                claimed.skipped.append(dropped)
                continue
            if claimed.clock_offset_s is None:
                claimed.clock_offset_s = self._clock.observe(queried, at, read)
                if self._clocks and began:  # a clock that has jumped is noticed here, and these claims are released
                    self._clocks.observe(began, at)
                claimed.slot_interval_s = step
            slot = slot_at - claimed.clock_offset_s
            claim = Claim(
                number, run_id, uuid, kind, terms.partner, market, game_id, user_id, round_id, tries, probes, doubtful,
                refused, at - claimed.clock_offset_s, slot, queried + LOOK_GOOD_S, slot + lease,
            )  # fmt: skip
            claimed.claims.append(claim)
        return claimed

    async def reserve_slots(self, kind: Kind, terms: PartnerTerms, claims: Sequence[Claim]) -> list[Claim]:
        """Reserve new slots and leases for claims that missed theirs, for as many as can leave in time.

        Returns those claims, by slot. Another process may own the claims that are missing.
        """
        queried = self._monotonic()
        horizon = max(0.0, min(claim.send_by for claim in claims) - self._monotonic() - LOOK_GOOD_S + HORIZON_S)
        rows = await self._database.rows(
            "claims/reserve_slots",
            first_id=self._first_id.value,
            ids=[claim.cancellation_id for claim in claims],
            uuids=[claim.uuid for claim in claims],
            **slot_parameters(terms, kind, horizon=horizon, head_start=self._clock.delay_s),
            lease=terms.lease,
        )
        if not rows:
            return []
        offset_s = self._clock.observe(queried, rows[0].at, self._monotonic())
        slots = {row.id: row.slot - offset_s for row in rows}
        kept = [
            claim._replace(slot=slot, lease_until=slot + terms.lease)
            for claim in claims
            if (slot := slots.get(claim.cancellation_id)) is not None
        ]
        return sorted(kept, key=lambda claim: claim.slot)

    async def release_claims(self, claims: Sequence[Claim]) -> int:
        """Release claims whose requests have not left; returns how many of them this process still owned."""
        return await self._database.count(
            "claims/release_claims",
            first_id=self._first_id.value,
            replica=self._replica,
            uuids=[claim.uuid for claim in claims],
        )

    async def extend_leases(self, claims: Sequence[Claim]) -> None:
        """Extend the leases of claims whose requests are in flight or whose replies are not written."""
        await self._control.count(
            "claims/extend_leases",
            first_id=self._first_id.value,
            ids=[claim.cancellation_id for claim in claims],
            uuids=[claim.uuid for claim in claims],
            kept=LEASE_EXTENSION_S,
        )

    async def renew_leases(self, terms: PartnerTerms) -> int:
        """Give this process's claims whole leases from now, after a jump of the database's clock; returns how many."""
        return await self._control.count(
            "claims/renew_leases",
            run_id=self._run_id,
            first_id=self._first_id.value,
            replica=self._replica,
            partner=terms.partner,
            lease=terms.lease,
        )

    async def expire_claims(
        self, terms: PartnerTerms, run_ids: Sequence[UUID], *, but: Sequence[str] = ()
    ) -> list[Any]:
        """Turn the expired claims of these runs, and of all follow-ups, into doubts.

        `but` names the attempts that this process still holds: they have not expired.
        """
        return await self._database.rows(
            "claims/expire_claims",
            now=self._clocks and self._clocks.trusted_now(),
            partner=terms.partner,
            run_ids=list(run_ids),
            status_probe=terms.status_probe,
            max_attempts=terms.max_attempts,
            back_off=BASE_S,
            detail=details.REPLY_LOST,
            replica=self._replica,
            but=list(but),
        )

    async def find_first_unsettled(self, partner: str, above: int) -> int | None:
        """Find the first id beyond `above` of a round that is planned or claimed for the first time."""
        row = await self._database.row(
            "claims/find_first_unsettled",
            run_id=self._run_id,
            partner=partner,
            above=above,
        )
        return row.id if row else None

    async def restore_attempts(self, claims: Sequence[Claim]) -> dict[str, int | None]:
        """Record attempts again that the database has lost with their commit.

        Returns, for each attempt that was missing, its cancellation; None if the ledger lost the round as well.
        """
        rows = await self._database.tuples(
            "claims/restore_attempts",
            run_id=self._run_id,
            replica=self._replica,
            claims=orjson.dumps([_claim_row(claim, self._clock.offset_s or 0.0) for claim in claims]).decode(),
            kept=LEASE_EXTENSION_S,
            detail=details.REPLY_LOST,
        )
        restored: dict[str, int | None] = dict(rows)
        self._first_id.include(restored.values())
        return restored


def _claim_row(claim: Claim, clock_offset_s: float) -> dict[str, object]:
    """A claim as the statement reads it; `claimed_at` in Unix seconds of the database's clock.

    The time comes from the claim's own statement. An estimate of when the statement was sent could lie before the
    record of an older claim, by as long as the answers take.
    """
    return {
        "id": claim.cancellation_id,
        "uuid": claim.uuid,
        "kind": claim.kind,
        "partner": claim.partner,
        "round_id": claim.round_id,
        "user_id": claim.user_id,
        "claimed_at": claim.claimed_at + clock_offset_s,
        "may_have_taken_effect": claim.may_have_taken_effect,
    }
