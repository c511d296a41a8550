"""The database's clock beside this process's, and the times in the ledger that no believable clock can have written."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from retention.core.clock_check import ClockCheck, Reading
from retention.core.notifications.events import CAP
from retention.core.sending.pacing import HORIZON_S, SPACING
from retention.errors import ClockError
from retention.ledger.terms import SETTLE_MARGIN_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from uuid import UUID

    from retention.ledger.database import Database, Transaction
    from retention.ledger.terms import PartnerTerms

HEARTBEAT_S = 10.0
"""Seconds after its last sign of life when a run counts as abandoned."""

CORRECT = 10.0
"""Seconds between looks for times that are impossibly far ahead."""


ROWS = {
    "schedule": "schedule of {}",
    "run": "run {}",
    "delivery": "notification {} to {}",
    "partner": "partner {}, {}",
    "round": "round {}/{}",
}
"""How the row of a correction is named, by its kind; takes the row's key."""


class Moment(NamedTuple):
    """This process's clocks, in seconds: the monotonic one, and the calendar's from 1970."""

    monotonic: float
    wall: float


@dataclass(frozen=True, slots=True)
class Correction:
    """A time in the ledger that was impossibly far ahead: of which row and column, what it was and what it is now."""

    row: str
    column: str
    was: datetime
    now: datetime

    def values(self) -> dict[str, str]:
        """What a log line tells of it."""
        return {"row": self.row, "column": self.column, "was": str(self.was), "now": str(self.now)}


class Clocks:
    """Holds the database's clock against this process's; there is one in each process."""

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
        """Be steady for as long as the longest lease of these lasts, and no shorter than a sign of life does."""
        self._check.steady_s = max([HEARTBEAT_S, *(seconds + SETTLE_MARGIN_S for seconds in timeouts)])

    def moment(self) -> Moment:
        """What this process's clocks show."""
        return Moment(self._monotonic(), self._wall())

    def observe(self, asked: Moment, at: datetime | float) -> bool:
        """Take in what the database's clock showed since `asked`; returns whether it has jumped."""
        read = self.moment()
        seconds = at.timestamp() if isinstance(at, datetime) else at
        return self._check.observe(Reading(seconds, asked.monotonic, read.monotonic, asked.wall, read.wall))

    async def read(self, database: Database | Transaction) -> datetime:
        """Ask the database for its time, and take it in."""
        asked = self.moment()
        now: datetime = (await database.row("clocks/get_time")).now
        self.observe(asked, now)
        return now

    async def require(self, database: Database | Transaction, limit: float) -> datetime:
        """Ask the database for its time. Raises ClockError where that cannot be relied on."""
        now = await self.read(database)
        if problem := self.problem(limit):
            raise ClockError(problem)
        return now

    @property
    def difference(self) -> float:
        """By how many seconds the database's clock was ahead at the last look."""
        return self._check.difference

    @property
    def jumps(self) -> int:
        """How often it has jumped since this process looks."""
        return self._check.jumps

    def agree(self, limit: float) -> bool:
        """Whether planning and claiming may rely on the database's clock."""
        return self._check.agrees(limit, self._monotonic())

    def problem(self, limit: float) -> str | None:
        """Say why they may not; None where they may."""
        return self._check.problem(limit, self._monotonic())

    def trusted_now(self) -> datetime | None:
        """The database's time past every jump that is younger than a lease; None where nothing is known of it."""
        seconds = self._check.database_time(self._monotonic())
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


@dataclass(frozen=True, slots=True)
class ClockTerms:
    """How far the database's clock is relied on while a plan is made. Without `clocks` it is believed.

    `limit` in seconds; `corrected` is told of each time that is taken back.
    """

    clocks: Clocks | None
    limit: float
    corrected: Callable[[Correction], None]

    async def now(self, database: Database | Transaction) -> datetime:
        """The database's time. Raises ClockError where it cannot be relied on."""
        if self.clocks is not None:
            return await self.clocks.require(database, self.limit)
        return (await database.row("clocks/get_time")).now  # type: ignore[no-any-return]

    def trusted_now(self) -> datetime | None:
        """The database's time past every jump that is younger than a lease; None where nothing is known of it."""
        return None if self.clocks is None else self.clocks.trusted_now()


async def correct_times(database: Database, limit: float) -> list[Correction]:
    """Take back what lies impossibly far ahead in schedules, runs and deliveries."""
    return _corrections(await database.rows("clocks/correct_ledger_times", limit=limit, longest_retry=CAP))


async def correct_work(
    database: Database, limit: float, run_id: UUID, deadline: float | None, terms: Sequence[PartnerTerms]
) -> list[Correction]:
    """Take back what keeps a run and its partners waiting; `deadline`, in seconds, is the policy's."""
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
    """Let leases that lie impossibly far ahead end as if the claims had been made now."""
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
