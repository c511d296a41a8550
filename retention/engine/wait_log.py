"""Reports why a run waits: a vendor's pause, a send slot that is far away, or a database server that is new."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.runs.new_server import new_server_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from structlog.typing import FilteringBoundLogger

    from retention.ledger.results import ClaimWait


class WaitLog:
    """Reports each reason for a wait once per partner."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log
        self._reported: set[tuple[str, bool]] = set()
        self._on_new_server: set[str] = set()

    def report(self, partner: str, waits: Iterable[ClaimWait], *, idle: bool) -> None:
        """Report the new ones of a partner's `waits`. `idle`: this process has no request of the partner in flight."""
        found = {wait.by_vendor: wait for wait in waits if wait.partner == partner}
        if True not in found:
            self._reported.discard((partner, True))  # the next pause is reported again
        for by_vendor, wait in found.items() if idle else ():
            if (partner, by_vendor) not in self._reported:
                self._reported.add((partner, by_vendor))
                self._log.warning("run.waiting", partner=partner, until=wait.until, detail=_why(wait))

    def report_new_server(self, partner: str, lease_s: float, *, new: bool) -> None:
        """Report once that a partner's claims wait for a lease: the server may lack claims that are under way."""
        if new and partner not in self._on_new_server:
            self._log.warning("run.waiting", partner=partner, detail=new_server_text(lease_s))
        (self._on_new_server.add if new else self._on_new_server.discard)(partner)


def _why(wait: ClaimWait) -> str:
    if wait.by_vendor:
        return "its vendor asked to be left alone; `retention resume` ends that earlier"
    if wait.rate_group is not None:
        return f"the next send slot of its rate group {wait.rate_group} is then"
    return "its next send slot is then"
