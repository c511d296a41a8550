"""How this process's part of a run ends: expires claims, closes rounds that nothing more is sent for, ends the run.

A run without a round left to work on is finished; it is halted where its partners are halted or paused, and failed
where no process could reach a partner.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from retention.core.model import Kind
from retention.core.runs.halt_cause import HaltCause
from retention.core.runs.pauses import pauses_text
from retention.core.sending.partner_state import PartnerHalt
from retention.engine.retry import retry_until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from structlog.typing import FilteringBoundLogger

    from retention.engine.expired_claims import ExpiredClaims
    from retention.engine.lifecycle import Lifecycle
    from retention.engine.run_partner import RunPartner
    from retention.engine.settler import Settler
    from retention.ledger.run_control import RunControl

UNREACHABLE_AFTER_S = 60.0
"""Seconds within which another process must have reached a partner, or its rounds are closed for all processes."""


class RunFinisher:
    """Ends one run.

    `unreachable` names the partners that no process could reach when the run ended; `paused` the
    partners that a person has paused, with the message of the pause.
    """

    def __init__(
        self,
        control: RunControl,
        partners: Sequence[RunPartner],
        settler: Settler,
        expired: ExpiredClaims,
        lifecycle: Lifecycle,
        log: FilteringBoundLogger,
    ) -> None:
        self._control = control
        self._partners = partners
        self._settler = settler
        self._expired = expired
        self._lifecycle = lifecycle
        self._log = log
        self.unreachable: tuple[str, ...] = ()
        self.paused: dict[str, str] = {}

    async def close_unsent(
        self, partner: str | None, why: str, *, doubts_only: bool = False, tried_only: bool = False
    ) -> None:
        """Close rounds that nothing more is sent for, of one partner or of all, and count them.

        Rounds that the server may lack claims of stay; a later call closes them.
        """
        close = partial(self._control.close_unsent, partner, why, doubts_only=doubts_only, tried_only=tried_only)
        after, rounds = -1, 0
        while closed := await retry_until(partial(close, after=after), until=self._lifecycle.draining):
            after = closed.last_block
            rounds += sum(one.rounds for one in closed.groups)
            self._settler.count_closed(closed.groups)
        if rounds:
            self._log.warning("run.given_up", partner=partner, rounds=rounds, detail=why)

    async def finish_once(self, *, done: bool) -> bool:
        """Expire claims; where this process is `done` and there were none, end the run. Whether this call ended it."""
        found = await self._expired.find()
        return done and not found and await self._finish()

    async def close_overdue_once(self) -> bool:
        """Close a run whose deadline has come, once no claim is live. Whether the run is over.

        Another process's request may be in flight, so its claim is waited for; an expired claim is a doubt.
        """
        await self._expired.find()
        for partner in self._partners:
            await self._control.trust_server(partner.name, partner.terms.lease)  # else the next run waits too
        await self.close_unsent(None, "the deadline came first")
        if await self._control.finish_run("finished", None):
            return True
        return (await self._control.heartbeat([])).status != "running"

    def report_unreachable(self, partner: RunPartner) -> None:
        """Report a partner that could not be reached, and why."""
        problem = partner.state.why_not_reached or None
        self._log.error("partner.unreachable", partner=partner.name, problem=problem)

    async def _finish(self) -> bool:
        """End the run if no round is left, in the way that the partners' states say; whether this call ended it."""
        if self._settler.skip_tried_reason is not None:
            await self.close_unsent(None, self._settler.skip_tried_reason, tried_only=True)
        lost = {one.name for one in self._partners if one.state.is_halted_for(PartnerHalt.UNREACHABLE)}
        # A partner halted for its status address has halted the run already; the ledger then ends nothing here.
        if halted := sorted(one.name for one in self._partners if one.state.halted and one.name not in lost):
            return await self._halt(HaltCause.UNAUTHORIZED.reason(f"{', '.join(halted)} refused our credentials"))
        self.unreachable = await self._find_unreachable(lost)
        for name in lost.intersection(self.unreachable):
            await self.close_unsent(name, "the partner could not be reached")
        unreachable = [partner for partner in self._partners if partner.name in self.unreachable]
        named = sorted(_named(one.name, one.state.why_not_reached) for one in unreachable)
        reason = f"unreachable: {', '.join(named)}" if named else None
        ended = await self._control.finish_run("failed" if reason else "finished", reason)
        if not ended and self.paused:
            ended = await self._halt(reason)
        if ended:
            for partner in unreachable:
                if partner.name not in lost:  # there were too few rounds to find out before
                    self.report_unreachable(partner)
        return ended

    async def _find_unreachable(self, lost: set[str]) -> tuple[str, ...]:
        """The partners that no process has reached: for long where this process has lost them, else ever."""
        found = []
        for partner in sorted(self._partners, key=lambda partner: partner.name):
            within = UNREACHABLE_AFTER_S if partner.name in lost else None
            kinds = partner.state.lost_kinds if within else [*Kind] if partner.state.never_reached else []
            if kinds and not await self._control.check_partner_reached(partner.name, kinds, within):
                found.append(partner.name)
        return tuple(found)

    async def _halt(self, reason: str | None) -> bool:
        """Halt the run if no round is left but those of halted or paused partners."""
        words = "; ".join(part for part in (reason, pauses_text(self.paused)) if part)
        return await self._control.finish_run("halted", words, paused_for=[*self.paused])


def _named(partner: str, why: str) -> str:
    return f"{partner} ({why})" if why else partner
