"""The database's clock: its checks against this process's clocks, and the correction of impossible times.

A separate statement corrects a time that is impossibly far ahead, and the correction is logged, so the readers stay
simple. A lease is cut to one whole lease from now, never into the past, because its request may be in flight. A
schedule continues after the newest of its times that has a run.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from retention.core.clock_check import ClockCheck, ClockReading
from retention.core.notifications.events import RETRY_CAP_S
from retention.core.sending.pacing import HORIZON_S, SPACING
from retention.errors import ClockError
from retention.ledger.terms import SETTLE_MARGIN_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from uuid import UUID

    from retention.ledger.database import Database, Transaction
    from retention.ledger.terms import PartnerTerms

HEARTBEAT_S = 10.0
"""Seconds after its last heartbeat when a run counts as inactive."""

CORRECTION_INTERVAL_S = 10.0
"""Seconds between searches for times that lie impossibly far ahead."""

DEFAULT_LIMIT_S = 60.0
"""Seconds by which a time may lie ahead if no limit is given."""


ROWS = {
    "schedule": "schedule of {}",
    "run": "run {}",
    "delivery": "notification {} to {}",
    "partner": "partner {}, {}",
    "rate_group": "rate group {}",
    "round": "round {}/{}",
}
"""How the row of a correction is named, by its kind; takes the row's key."""


class Moment(NamedTuple):
    """This process's clocks, in seconds: the monotonic clock, and Unix time."""

    monotonic: float
    wall: float


@dataclass(frozen=True, slots=True)
class Correction:
    """A time in the ledger that lay impossibly far ahead: its row and column, and its old and new value."""

    row: str
    column: str
    was: datetime
    now: datetime

    def values(self) -> dict[str, str]:
        """The fields of its log line."""
        return {"row": self.row, "column": self.column, "was": str(self.was), "now": str(self.now)}


class Clocks:
    """Checks the database's clock against this process's clocks; each process has one object."""

    def __init__(
        self,
        timeouts: Iterable[float] = (),
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._monotonic = monotonic
        self._wall = wall
        self._check = ClockCheck(0.0)
        self.set_timeouts(timeouts)

    def set_timeouts(self, timeouts: Iterable[float]) -> None:
        """Set how long the clock must be steady: the longest lease with these request timeouts, or a heartbeat."""
        self._check.steady_s = max([HEARTBEAT_S, *(seconds + SETTLE_MARGIN_S for seconds in timeouts)])

    def moment(self) -> Moment:
        """Read this process's clocks."""
        return Moment(self._monotonic(), self._wall())

    def observe(self, queried: Moment, at: datetime | float) -> bool:
        """Record the database's time `at`, read since the moment `queried`; returns whether its clock has jumped."""
        read = self.moment()
        seconds = at.timestamp() if isinstance(at, datetime) else at
        return self._check.observe(ClockReading(seconds, queried.monotonic, read.monotonic, queried.wall, read.wall))

    async def read(self, database: Database | Transaction) -> datetime:
        """Read and record the database's time."""
        queried = self.moment()
        now: datetime = (await database.row("clocks/get_time")).now
        self.observe(queried, now)
        return now

    async def require(self, database: Database | Transaction, limit: float) -> datetime:
        """Read the database's time. Raises ClockError if it is off by more than `limit` seconds, or has jumped."""
        now = await self.read(database)
        if problem := self.problem(limit):
            raise ClockError(problem)
        return now

    @property
    def difference(self) -> float:
        """Seconds by which the database's clock was ahead at the last reading."""
        return self._check.difference

    @property
    def jumps(self) -> int:
        """Number of jumps since this process started."""
        return self._check.jumps

    def agrees(self, limit: float) -> bool:
        """Whether planning and claiming may trust the database's clock."""
        return self._check.agrees(limit, self._monotonic())

    def problem(self, limit: float) -> str | None:
        """Describe why they may not; None if they may."""
        return self._check.problem(limit, self._monotonic())

    def trusted_now(self) -> datetime | None:
        """The database's time without the jumps of the last lease length; None before the first reading."""
        seconds = self._check.database_time(self._monotonic())
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


@dataclass(frozen=True, slots=True)
class ClockTerms:
    """The trust in the database's clock while a plan is made. Without `clocks` it is trusted unchecked.

    `limit` in seconds; `corrected` is called for each corrected time.
    """

    clocks: Clocks | None
    limit: float
    corrected: Callable[[Correction], None]

    async def now(self, database: Database | Transaction) -> datetime:
        """Get the database's time. Raises ClockError if it is off by more than `limit` seconds, or has jumped."""
        if self.clocks is not None:
            return await self.clocks.require(database, self.limit)
        return (await database.row("clocks/get_time")).now  # type: ignore[no-any-return]

    def trusted_now(self) -> datetime | None:
        """The database's time without the jumps of the last lease length; None before the first reading."""
        return None if self.clocks is None else self.clocks.trusted_now()


class LedgerClock:
    """The database's clock, which decides which rounds are stale, and the times that it has written.

    Without `clocks` it is trusted unchecked.
    """

    def __init__(self, database: Database, clocks: Clocks | None) -> None:
        self._database = database
        self._control = database.control()
        self._clocks = clocks

    async def get_time(self) -> datetime:
        """Get the database's time, unchecked."""
        return (await self._database.row("clocks/get_time")).now  # type: ignore[no-any-return]

    async def require_time(self, limit: float) -> datetime:
        """Get the database's time. Raises ClockError if it is off by more than `limit` seconds, or has jumped."""
        return await self.terms(limit).now(self._control)

    def terms(self, limit: float | None, corrected: Callable[[Correction], None] = lambda _: None) -> ClockTerms:
        """The terms for one plan; without `limit` (seconds) the clock is trusted unchecked."""
        return ClockTerms(None if limit is None else self._clocks, limit or DEFAULT_LIMIT_S, corrected)

    async def correct_ledger_times(self, limit: float) -> list[Correction]:
        """Correct the times of schedules, runs and deliveries that lie impossibly far ahead."""
        return await correct_ledger_times(self._control, limit)


async def correct_ledger_times(database: Database, limit: float) -> list[Correction]:
    """Correct the times of schedules, runs and deliveries that lie impossibly far ahead."""
    return _corrections(await database.rows("clocks/correct_ledger_times", limit=limit, longest_retry=RETRY_CAP_S))


async def correct_run_times(
    database: Database, limit: float, run_id: UUID, deadline: float | None, terms: Sequence[PartnerTerms]
) -> list[Correction]:
    """Correct the impossible times for which a run and its partners wait; `deadline` is the policy's, in seconds."""
    rows = await database.rows(
        "clocks/correct_run_times",
        limit=limit,
        run_id=run_id,
        deadline=deadline,
        horizon=HORIZON_S,
        spacing=SPACING,
        partners=[one.partner for one in terms],
        rates=[one.rate for one in terms],
        question_rates=[one.question_rate or one.rate for one in terms],
        max_pauses=[one.max_pause for one in terms],
    )
    return _corrections(rows)


async def correct_leases(
    database: Database | Transaction, limit: float, run_ids: Sequence[UUID], terms: PartnerTerms
) -> list[Correction]:
    """Cut leases that lie impossibly far ahead to one whole lease from now."""
    rows = await database.rows(
        "clocks/correct_leases",
        limit=limit,
        run_ids=list(run_ids),
        partner=terms.partner,
        lease=terms.lease,
    )
    return _corrections(rows)


def _corrections(rows: Iterable[Any]) -> list[Correction]:
    return [Correction(ROWS[row.row].format(*row.key), row.column, row.was, row.now) for row in rows]
