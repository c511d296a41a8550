"""How a run ends once this process finds nothing left to do, and what is given up before that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.model import Kind
from retention.core.runs.pauses import words_of
from retention.engine.retry import retry_until

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from structlog.typing import FilteringBoundLogger

    from retention.engine.partner import Partner
    from retention.engine.settler import Settler
    from retention.ledger.run_control import RunControl

UNREACHABLE_AFTER_S = 60.0
"""Seconds within which another process must have reached a partner that this one cannot, or it is given up for all."""


class RunFinisher:
    """Ends one run. `over` is set once this process has no part in it any more.

    `lost` names the partners that this process has not reached for long, `unreached` those that nobody could reach when
    the run ended, and `paused` those that a person has paused, with the words of the pause.
    """

    def __init__(
        self,
        control: RunControl,
        partners: Sequence[Partner],
        settler: Settler,
        log: FilteringBoundLogger,
        over: asyncio.Event,
    ) -> None:
        self._control = control
        self._partners = partners
        self._settler = settler
        self._log = log
        self._over = over
        self.lost: set[str] = set()
        self.unreached: tuple[str, ...] = ()
        self.paused: dict[str, str] = {}

    async def give_up(
        self, partner: str | None, why: str, *, doubts_only: bool = False, tried_only: bool = False
    ) -> None:
        """Send nothing more about these rounds, and count what that ends."""
        given_up = await retry_until(
            lambda: self._control.close_unsent(partner, why, doubts_only=doubts_only, tried_only=tried_only),
            until=self._over,
        )
        if given_up:
            self._settler.note_given_up(given_up)
            self._log.warning("run.given_up", partner=partner, rounds=sum(g.rounds for g in given_up), detail=why)

    async def _find_unreached(self) -> tuple[str, ...]:
        """The partners that have not answered for long, and those that never did: not this process, nor any other."""
        found = []
        for partner in sorted(self._partners, key=lambda partner: partner.name):
            lost = partner.name in self.lost
            kinds = partner.lost_kinds if lost else [*Kind] if partner.never_reached else []
            if kinds and not await self._control.check_partner_reached(
                partner.name, kinds, UNREACHABLE_AFTER_S if lost else None
            ):
                found.append(partner.name)
        return tuple(found)

    async def finish(self) -> bool:
        """End the run if nothing is left to do, in the way that the partners' states say; whether this call did it."""
        if self._settler.leaves_tried is not None:
            await self.give_up(None, self._settler.leaves_tried, tried_only=True)
        halted = sorted(partner.name for partner in self._partners if partner.halted and partner.name not in self.lost)
        if halted:
            return await self._halt(f"unauthorized: {', '.join(halted)} refused our credentials")
        self.unreached = await self._find_unreached()
        for name in self.lost.intersection(self.unreached):
            await self.give_up(name, "the partner could not be reached")
        unreached = [partner for partner in self._partners if partner.name in self.unreached]
        named = sorted(f"{one.name} ({one.why_not_reached})" if one.why_not_reached else one.name for one in unreached)
        reason = f"unreachable: {', '.join(named)}" if named else None
        ended = await self._control.finish_run("failed" if reason else "finished", reason)
        if not ended and self.paused:
            ended = await self._halt(reason)
        if ended:
            for partner in unreached:
                if partner.name not in self.lost:  # too few rounds to tell before
                    self.tell_unreachable(partner)
        return ended

    def tell_unreachable(self, partner: Partner) -> None:
        """Log a partner that could not be reached, and why."""
        self._log.error("partner.unreachable", partner=partner.name, problem=partner.why_not_reached or None)

    async def _halt(self, reason: str | None) -> bool:
        """Halt the run if nothing is left to do but for the partners that are halted or paused."""
        words = "; ".join(part for part in (reason, words_of(self.paused)) if part)
        return await self._control.finish_run("halted", words, paused_for=[*self.paused])
