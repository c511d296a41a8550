"""What the engine asks of the ledger while a run is on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from retention.core.model import Claim, Kind, State
from retention.core.runs.pauses import Paused
from retention.core.sending.backoff import BASE
from retention.core.sending.pacing import HORIZON_S, LOOK_GOOD_S, SPACING, TOLD_GOOD_S, DatabaseClock
from retention.errors import LostRunError
from retention.ledger import details
from retention.ledger.clocks import HEARTBEAT_S, correct_leases, correct_work
from retention.ledger.known_server import KnownServer
from retention.ledger.results import ClaimBatch, ClaimWait, ClosedGroup, RunSnapshot, SkippedRound
from retention.ledger.settlements import Settlements
from retention.ledger.terms import PartnerTerms as PartnerTerms  # noqa: PLC0414, TC001 - others know it from here

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from retention.ledger.clocks import Clocks, Correction
    from retention.ledger.database import Database

NO_SLOT = "no_slot"
"""What stands for a state where a round got no slot."""

RECOVERY = 0.02
"""Share of the configured rate by which a throttled rate grows back each second."""


@dataclass(frozen=True, slots=True)
class IdRange:
    """Ids of cancellations: those beyond `above`, as far as `up_to`."""

    above: int
    up_to: int


class WorkLedger:
    """The ledger as one process at work on one run sees it; `monotonic` is its clock, in seconds."""

    def __init__(
        self,
        database: Database,
        run_id: UUID,
        replica: str,
        idle_longer_than: float | None,
        monotonic: Callable[[], float],
        clocks: Clocks | None = None,
        server: KnownServer | None = None,
    ) -> None:
        self._database = database.at_work()
        self._control = database.prompt()
        self._durable = database.prompt().durable()
        self._run_id = run_id
        self._replica = replica
        self._idle_longer_than = idle_longer_than
        self._monotonic = monotonic
        self._clock = DatabaseClock()
        self._clocks = clocks
        self._server = server or KnownServer()
        self.settlements = Settlements(database, run_id, replica, self._clock)

    async def claim(
        self,
        kind: Kind,
        terms: PartnerTerms,
        *,
        after: int,
        batch: int,
        new: int | None = None,
        ids: Sequence[int] | None = None,
        due_first: bool = True,
        leave_tried: bool = False,
    ) -> ClaimBatch:
        """Claim up to `batch` rounds: new ones whose id is beyond `after`, and those that are due again.

        These take turns: `due_first` says who begins. `leave_tried`: not those that an earlier run has tried.
        `new`: of a question's claims, at most so many are for rounds that are not in doubt.
        `ids`: of cancel requests, these cancellations instead, of which the vendor has just said that they are in
        progress.
        """
        asked, began = self._monotonic(), self._clocks and self._clocks.moment()
        rows = await self._database.tuples(
            "claims/claim_rounds" if kind is Kind.CANCEL else "claims/claim_probes",
            run_id=self._run_id,
            replica=self._replica,
            partner=terms.partner,
            kind=kind.value,
            after=after,
            batch=batch,
            new=batch if new is None else min(new, batch),
            ids=None if ids is None else list(ids),
            due_first=due_first,
            leave_tried=leave_tried,
            rate=terms.rate_of(kind),
            spacing=SPACING,
            recovery=RECOVERY,
            horizon=HORIZON_S,
            head_start=self._clock.delay,
            lease=terms.lease,
            max_attempts=terms.max_attempts,
            status_probe=terms.status_probe,
            ask_first=terms.ask_first,
            told_within=TOLD_GOOD_S,
            idle_longer_than=self._idle_longer_than,
            server_started=self._server.for_claims(terms.lease, self._monotonic()),
            skip_details=details.SKIPPED,
        )
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
                claimed.dropped.append(dropped)
                continue
            if claimed.clock is None:
                claimed.clock = self._clock.note(asked, at, read)
                if self._clocks and began:  # a claim by a clock that has jumped is released: nothing is sent for it
                    self._clocks.observe(began, at)
                claimed.step = step
            slot = slot_at - claimed.clock
            claim = Claim(
                number, run_id, uuid, kind, terms.partner, market, game_id, user_id, round_id, tries, probes, doubtful,
                refused, slot, asked + LOOK_GOOD_S, slot + lease,
            )  # fmt: skip
            claimed.claims.append(claim)
        # What is due again lies behind, and is found without the cursor.
        if new_unslotted := [number for number in claimed.unslotted if number > after]:
            claimed.last_id = min(claimed.last_id, min(new_unslotted) - 1)
        return claimed

    async def reserve(self, kind: Kind, terms: PartnerTerms, claims: Sequence[Claim]) -> list[Claim]:
        """New slots and leases for claims that missed theirs: for the first of them, as many as a young look allows.

        What is left out may be lost meanwhile.
        """
        asked = self._monotonic()
        rows = await self._database.rows(
            "claims/reserve_slots",
            partner=terms.partner,
            kind=kind.value,
            ids=[claim.cancellation_id for claim in claims],
            uuids=[claim.uuid for claim in claims],
            rate=terms.rate_of(kind),
            spacing=SPACING,
            recovery=RECOVERY,
            horizon=max(0.0, min(claim.leave_by for claim in claims) - self._monotonic() - LOOK_GOOD_S + HORIZON_S),
            head_start=self._clock.delay,
            lease=terms.lease,
        )
        if not rows:
            return []
        ahead = self._clock.note(asked, rows[0].at, self._monotonic())
        slots = {row.id: row.slot - ahead for row in rows}
        kept = [
            claim._replace(slot=slot, expires=slot + terms.lease)
            for claim in claims
            if (slot := slots.get(claim.cancellation_id)) is not None
        ]
        return sorted(kept, key=lambda claim: claim.slot)

    async def release(self, claims: Sequence[Claim]) -> int:
        """Hand claims back whose requests have not left; how many of them were still ours."""
        return await self._database.count("claims/release_claims", uuids=[claim.uuid for claim in claims])

    async def recover(
        self, terms: PartnerTerms, run_ids: Sequence[UUID], window: IdRange | None = None, *, but: Sequence[str] = ()
    ) -> list[Any]:
        """Turn claims of those runs whose lease has run out into doubts; a round's first claim only within `window`.

        `but`: not these attempts, which are in this process's hands, whatever the database's clock says.
        """
        return await self._database.rows(
            "claims/expire_claims",
            now=self._clocks and self._clocks.trusted_now(),
            partner=terms.partner,
            run_ids=list(run_ids),
            above=window.above if window else 0,
            up_to=window.up_to if window else None,
            status_probe=terms.status_probe,
            max_attempts=terms.max_attempts,
            back_off=BASE,
            detail=details.REPLY_LOST,
            but=list(but),
        )

    async def front(self, partner: str, above: int) -> int | None:
        """The first id beyond `above` of a round that is planned, or claimed for the first time; None: no such."""
        row = await self._database.row("claims/find_first_unsettled", run_id=self._run_id, partner=partner, above=above)
        return row.id if row else None

    async def watch(self, partners: Sequence[str], *, progressed: bool = True) -> RunSnapshot:
        """Give a sign of life, say whether the run has `progressed` since the last, and look what has become of it."""
        began = self._clocks and self._clocks.moment()
        values = {"run_id": self._run_id, "beat": HEARTBEAT_S, "partners": list(partners), "progressed": progressed}
        row = await self._control.row("run_control/heartbeat", **values)
        if row is None:
            raise LostRunError(
                f"the ledger does not have run {self._run_id} any more: the database was restored from an older copy,"
                " or a standby that lagged behind took over; look at the log for what the vendor did, then run again"
            )
        self._server.note(row.server_started, self._monotonic())
        if self._clocks and began:
            self._clocks.observe(began, row.now)
        waits = tuple(ClaimWait(*wait) for wait in row.waits or ())
        return RunSnapshot(
            row.status,
            row.halt_reason,
            frozenset(row.halted_partners),
            row.overdue,
            tuple(Paused(*pause) for pause in row.pauses or ()),
            frozenset(row.throttled),
            row.server_started,
            waits,
            row.stalled,
        )

    async def correct(
        self, limit: float, deadline: float | None, terms: Sequence[PartnerTerms], *, leases: bool
    ) -> list[Correction]:
        """Take back times that lie impossibly far ahead; with `leases`, at the price of a look at the whole plan."""
        found = await correct_work(self._control, limit, self._run_id, deadline, terms)
        for one in terms if leases else ():
            found += await correct_leases(self._control, limit, [self._run_id], one)
        return found

    async def renew_leases(self, terms: PartnerTerms) -> int:
        """Give this process's claims leases of this moment, after a jump of the database's clock; how many."""
        return await self._control.count(
            "claims/renew_leases", run_id=self._run_id, replica=self._replica, partner=terms.partner, lease=terms.lease
        )

    async def throttle(self, terms: PartnerTerms, pause: float) -> None:
        """Let every replica leave the partner alone for `pause` seconds."""
        rates = {"rate": terms.rate, "question_rate": terms.rate_of(Kind.STATUS)}
        await self._control.count("run_control/throttle_partner", partner=terms.partner, pause=pause, **rates)

    async def halt(self, reason: str, *, paused_for: Sequence[str] = ()) -> bool:
        """Stop the run for all replicas; `paused_for`: until these partners' pauses end. Whether this call did it."""
        return await self._durable.count("run_control/halt_run", **self._end(reason, paused_for)) > 0

    async def halt_partner(self, partner: str) -> bool:
        """Stop calling one partner in this run; whether this process was the first to say so."""
        return await self._durable.count("run_control/halt_partner", run_id=self._run_id, partner=partner) > 0

    async def give_up(
        self, partner: str | None, why: str, *, doubts_only: bool = False, tried_only: bool = False
    ) -> list[ClosedGroup]:
        """Send nothing more, to one partner or to all, or ask nothing; what that ends, by partner, market and state.

        `tried_only`: about the rounds that an earlier run has tried.
        """
        rows = await self._database.rows(
            "run_control/close_unsent",
            run_id=self._run_id,
            partner=partner,
            why=why,
            doubts_only=doubts_only,
            tried_only=tried_only,
        )
        return [ClosedGroup(row.partner, row.market, State(row.state), row.rounds) for row in rows]

    async def reached(self, partner: str, kinds: Sequence[Kind], within: float | None) -> bool:
        """Whether some process could reach the partner in this run: ever, or in the last so many seconds."""
        row = await self._database.row(
            "run_control/check_partner_reached", run_id=self._run_id, partner=partner, kinds=list(kinds), within=within
        )
        return bool(row.reached)

    async def finish(self, status: str, reason: str | None, *, paused_for: Sequence[str] = ()) -> bool:
        """End the run if nothing is left to do, but for what is `paused_for` partners; whether this call did it."""
        values = self._end(reason, paused_for)
        return await self._database.row("run_control/finish_run", status=status, **values) is not None

    def _end(self, reason: str | None, paused_for: Sequence[str]) -> dict[str, Any]:
        run = {"run_id": self._run_id, "replica": self._replica}
        return {**run, "reason": reason, "paused_partners": list(paused_for)}

    async def leave(self) -> None:
        """Go, without ending the run."""
        await self._control.count("run_control/leave_run", run_id=self._run_id)
