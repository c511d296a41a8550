"""The halts that this process decides on: of one partner in a run, or of the run.

The ledger has them for all processes, and may lose them with a server. While this process still works on a run that
goes on without them, it records them again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.sending.partner_state import PartnerHalt
from retention.engine.retry import retry_until

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from structlog.typing import FilteringBoundLogger

    from retention.engine.lifecycle import Lifecycle
    from retention.engine.run_partner import RunPartner
    from retention.ledger.run_control import RunControl


class Halts:
    """Records halts in the ledger."""

    def __init__(self, control: RunControl, lifecycle: Lifecycle, log: FilteringBoundLogger) -> None:
        self._control = control
        self._lifecycle = lifecycle
        self._log = log
        self._reason: str | None = None

    async def halt_partner(self, partner: RunPartner) -> None:
        """Have no process call the partner in this run: the vendor refused our credentials."""
        if await retry_until(lambda: self._control.halt_partner(partner.name), until=self._lifecycle.aborted):
            self._log.error("partner.unauthorized", partner=partner.name)

    async def halt_run(self, reason: str) -> None:
        """Halt the run; only the first reason counts."""
        if self._reason is None:
            halted = await retry_until(lambda: self._control.halt_run(reason), until=self._lifecycle.aborted)
            self._reason = None if halted is None else reason

    async def repeat(self, partners: Sequence[RunPartner], halted: Collection[str]) -> None:
        """Record again what the ledger has lost of a run that goes on; it has the `halted` partners.

        A process that drains repeats nothing, since a person may have resumed the run.
        """
        if not self._lifecycle.running:
            return
        for partner in partners:
            if partner.state.is_halted_for(PartnerHalt.UNAUTHORIZED) and partner.name not in halted:
                await self.halt_partner(partner)
        if self._reason is not None:
            await self._control.halt_run(self._reason)
