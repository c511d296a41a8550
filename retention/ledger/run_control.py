"""Run control: the heartbeat, and the acts that throttle, halt, finish or leave a run.

A run halted by the kill switch is marked `paused`, so that it can resume by itself; a run halted by a rail cannot.

The process that makes a transition logs it, once in the fleet (`run.started`, `run.halted`, `run.finished`); a
process that joins or leaves logs `run.joined`, `run.left`. The row's `ended_by_process` names the process that ended
the run, because that process may have lost the answer to its COMMIT.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.model import State
from retention.core.runs.pauses import ActivePause
from retention.errors import LostRunError
from retention.ledger.clocks import HEARTBEAT_S, correct_leases, correct_run_times
from retention.ledger.known_server import KnownServer
from retention.ledger.results import ClaimWait, ClosedBatch, ClosedGroup, RunSnapshot
from retention.ledger.slots import throttle_partner

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from retention.core.model import Kind
    from retention.ledger.clocks import Clocks, Correction
    from retention.ledger.database import Database
    from retention.ledger.terms import PartnerTerms

CLOSED_AT_ONCE = 10_000
"""Rounds that one transaction closes, about."""


class RunControl:
    """Controls one run for one process; `monotonic` is this process's clock, in seconds."""

    def __init__(
        self,
        database: Database,
        run_id: UUID,
        replica: str,
        monotonic: Callable[[], float],
        clocks: Clocks | None = None,
        server: KnownServer | None = None,
    ) -> None:
        self._database = database.bulk()
        self._control = database.control()
        self._durable = database.control().durable()
        self._run_id = run_id
        self._replica = replica
        self._monotonic = monotonic
        self._clocks = clocks
        self._server = server or KnownServer()

    async def heartbeat(self, partners: Sequence[str], *, progressed: bool = True) -> RunSnapshot:
        """Record a heartbeat, and whether the run has `progressed` since the last; returns the run's present state.

        Raises LostRunError if the ledger does not have the run any more.
        """
        began = self._clocks and self._clocks.moment()
        row = await self._control.row(
            "run_control/heartbeat",
            run_id=self._run_id,
            beat=HEARTBEAT_S,
            partners=list(partners),
            progressed=progressed,
        )
        if row is None:
            raise LostRunError(
                f"the ledger does not have run {self._run_id} any more: the database was restored from an older copy,"
                " or a standby that lagged behind took over; look at the log for what the vendor did, then run again"
            )
        self._server.observe(row.server_started, self._monotonic())
        if self._clocks and began:
            self._clocks.observe(began, row.now)
        waits = tuple(ClaimWait(*wait) for wait in row.waits or ())
        return RunSnapshot(
            row.status,
            row.halt_reason,
            frozenset(row.halted_partners),
            row.overdue,
            tuple(ActivePause(*pause) for pause in row.pauses or ()),
            frozenset(row.throttled),
            row.server_started,
            frozenset(row.new_server_for),
            waits,
            row.stalled,
        )

    async def throttle_partner(self, terms: PartnerTerms, pause: float) -> float | None:
        """Stop the calls of every replica to the partner for `pause` seconds, and halve its rates.

        Returns the new rate of its group, where that is halved too.
        """
        return await throttle_partner(self._control, terms, pause)

    async def trust_server(self, partner: str, lease: float) -> None:
        """Let all processes claim for the partner, if this one has waited for `lease` seconds on the server."""
        awaited = self._server.awaited(lease, self._monotonic())
        if awaited is not None:
            await self._control.count("run_control/trust_server", partner=partner, awaited_server=awaited)

    async def halt_run(self, reason: str, *, paused_for: Sequence[str] = ()) -> bool:
        """Halt the run for all replicas, with `paused_for` until the pauses of these partners end.

        Returns whether this call halted it.
        """
        halted = await self._durable.count(
            "run_control/halt_run",
            run_id=self._run_id,
            replica=self._replica,
            reason=reason,
            paused_partners=list(paused_for),
        )
        return halted > 0

    async def halt_partner(self, partner: str) -> bool:
        """Stop calling one partner in this run; returns whether this process was the first to do so."""
        return await self._durable.count("run_control/halt_partner", run_id=self._run_id, partner=partner) > 0

    async def close_unsent(
        self, partner: str | None, why: str, *, doubts_only: bool = False, tried_only: bool = False, after: int = -1
    ) -> ClosedBatch | None:
        """Close the next rounds that wait for a request to one partner or (None) to all, beyond the block `after`.

        `doubts_only` closes doubts without a probe, `tried_only` only rounds that an earlier run has tried. On a server
        that may lack claims, nothing is closed before a process has waited there (`trust_server`). Returns None where
        no such round is left.
        """
        rows = await self._database.rows(
            "run_control/close_unsent",
            run_id=self._run_id,
            replica=self._replica,
            partner=partner,
            why=why,
            doubts_only=doubts_only,
            tried_only=tried_only,
            after=after,
            rounds=CLOSED_AT_ONCE,
        )
        if not rows:
            return None
        groups = [
            ClosedGroup(row.partner, row.market, State(row.state), row.rounds) for row in rows if row.state is not None
        ]
        return ClosedBatch(groups, rows[0].block)

    async def check_partner_reached(self, partner: str, kinds: Sequence[Kind], within: float | None) -> bool:
        """Check whether any process got a reply from the partner in this run: ever, or in the last `within` seconds."""
        row = await self._database.row(
            "run_control/check_partner_reached", run_id=self._run_id, partner=partner, kinds=list(kinds), within=within
        )
        return bool(row.reached)

    async def finish_run(self, status: str, reason: str | None, *, paused_for: Sequence[str] = ()) -> bool:
        """End the run if nothing is left to do, apart from the rounds of `paused_for` partners.

        Returns whether this call ended it.
        """
        ended = await self._database.row(
            "run_control/finish_run",
            run_id=self._run_id,
            replica=self._replica,
            status=status,
            reason=reason,
            paused_partners=list(paused_for),
        )
        return ended is not None

    async def leave_run(self) -> None:
        """Leave the run without ending it."""
        await self._control.count("run_control/leave_run", run_id=self._run_id)

    async def correct_times(
        self, limit: float, deadline: float | None, terms: Sequence[PartnerTerms], *, leases: bool
    ) -> list[Correction]:
        """Correct the run's times that lie impossibly far ahead; `leases` as well."""
        found = await correct_run_times(self._control, limit, self._run_id, deadline, terms)
        for one in terms if leases else ():
            found += await correct_leases(self._control, limit, [self._run_id], one)
        return found
