"""The parts of the ledger that one engine uses for one run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from retention.core.sending.pacing import DatabaseClock
from retention.ledger.claims import Claims
from retention.ledger.first_id import FirstId
from retention.ledger.known_server import KnownServer
from retention.ledger.run_control import RunControl
from retention.ledger.settlements import Settlements

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from retention.ledger.clocks import Clocks
    from retention.ledger.database import Database


@dataclass(frozen=True, slots=True)
class EngineLedger:
    """Claims, settlements and control of one run, as one process uses them."""

    claims: Claims
    settlements: Settlements
    control: RunControl
    first_id: FirstId

    @classmethod
    def of_run(
        cls,
        database: Database,
        run_id: UUID,
        replica: str,
        idle_longer_than: float | None,
        monotonic: Callable[[], float],
        clocks: Clocks | None = None,
        server: KnownServer | None = None,
    ) -> Self:
        """Build the parts; they share one estimate of the database's clock and one record of its server.

        `idle_longer_than` is the policy's, in seconds; `monotonic` is this process's clock, in seconds.
        """
        server, first_id = server or KnownServer(), FirstId()
        return cls(
            Claims(database, run_id, replica, idle_longer_than, monotonic, DatabaseClock(), clocks, server, first_id),
            Settlements(database, run_id, replica, first_id),
            RunControl(database, run_id, replica, monotonic, clocks, server),
            first_id,
        )
