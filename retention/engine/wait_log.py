"""Reports why a run waits: a pause that a vendor asked for, or a send slot that is far away."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from structlog.typing import FilteringBoundLogger

    from retention.ledger.results import ClaimWait


class WaitLog:
    """Reports each reason for a wait once per partner."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log
        self._reported: set[tuple[str, bool]] = set()

    def report(self, partner: str, waits: Iterable[ClaimWait], *, idle: bool) -> None:
        """Report the new ones of a partner's `waits`. `idle`: this process has no request of the partner in flight."""
        found = {wait.by_vendor: wait.until for wait in waits if wait.partner == partner}
        if True not in found:
            self._reported.discard((partner, True))  # the next pause is reported again
        for by_vendor, until in found.items() if idle else ():
            if (partner, by_vendor) not in self._reported:
                self._reported.add((partner, by_vendor))
                why = (
                    "its vendor asked to be left alone; `retention resume` ends that earlier"
                    if by_vendor
                    else "its next send slot is then"
                )
                self._log.warning("run.waiting", partner=partner, until=until, detail=why)
