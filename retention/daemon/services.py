"""What a daemon is given to work with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from structlog.typing import FilteringBoundLogger

    from retention.engine.counters import ProcessCounters
    from retention.ledger.claims import PartnerTerms
    from retention.ledger.clocks import Clocks
    from retention.ledger.database import Database
    from retention.ledger.runs import RunLedger
    from retention.ledger.schedules import ScheduleStore
    from retention.ledger.stalled_runs import StalledRuns
    from retention.process.shutdown import DrainScope
    from retention.redaction import Redactor
    from retention.runs.service import RunService
    from retention.settings.model import Settings


class DaemonServices(Protocol):
    """The parts of the house that it needs, put together for the configuration of the moment."""

    @property
    def settings(self) -> Settings:
        """The configuration."""

    @property
    def database(self) -> Database:
        """The database."""

    @property
    def log(self) -> FilteringBoundLogger:
        """The log."""

    @property
    def redactor(self) -> Redactor:
        """What keeps secrets out of the ledger."""

    @property
    def tally(self) -> ProcessCounters:
        """What the process has done."""

    @property
    def schedules(self) -> ScheduleStore:
        """The ledger's schedules."""

    @property
    def run_ledger(self) -> RunLedger:
        """The ledger's runs."""

    @property
    def stalls(self) -> StalledRuns:
        """Runs that stand still."""

    @property
    def clocks(self) -> Clocks:
        """The database's clock beside this process's."""

    def terms(self, names: Sequence[str]) -> list[PartnerTerms]:
        """The terms on which those partners are called."""

    def runs(self, place: DrainScope) -> RunService:
        """Makes runs."""
