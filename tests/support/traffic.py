"""The operator's own business, which goes on beside the job and through every fault of the database."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg

from retention.ledger.queries import query
from retention.simulator.server import RoundStatus
from support.world import SECURE_LOGIN

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from random import Random

    from support.losses import Loss, Span
    from support.world import World

AGAIN = 0.3
"""Seconds before something is tried again that the database was not there for."""

MOST_OPEN = 4000
"""Rounds left open by a fault, beyond which no more are opened."""


ENDLESS = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Kind:
    """An act on a round: its statement, and the rounds in whose rows it shows, as a condition on `r`."""

    statement: LiteralString
    shows: LiteralString


_HOLD = {
    **dict.fromkeys(("partner", "market", "game_id", "user_id", "until")),
    "reason": "a complaint",
    "by": "ann",
}

CAME_BACK = Kind(
    "UPDATE public.rounds SET last_activity_at = now() WHERE round_id = %(name)s AND status = 0",
    "r.last_activity_at IS NOT NULL",
)
HELD = Kind(
    query("holds/add_hold"),  # as a person places it: a hold that is written by hand leaves no evidence
    "EXISTS (SELECT FROM retention.holds h WHERE h.round_id = r.round_id)",
)
REOPENED = Kind(
    "UPDATE public.rounds SET opened_at = now() WHERE round_id = %(name)s AND status = 0",
    "r.opened_at > now() - interval '1 day'",
)
POISONED = Kind(
    "UPDATE public.rounds SET stake = 'NaN' WHERE round_id = %(name)s AND status = 0",
    "r.stake = 'NaN'",
)
DOUBLED = Kind(
    "INSERT INTO public.twins SELECT * FROM public.rounds WHERE round_id = %(name)s AND status = 0",
    "EXISTS (SELECT FROM public.twins t WHERE t.round_id = r.round_id)",
)
COMPLETED = Kind(
    "UPDATE public.rounds SET status = 1 WHERE round_id = %(name)s AND status = 0",
    "r.status = 1",
)


class Traffic:
    """Players, and those who look after them. `left`: when a round was completed; `returned`: when its player came
    back, it was put on hold, or its id became another round's, for good.

    Both are moments after COMMIT, in UTC, by round id. `lapses`: when the database had lost that again.
    """

    def __init__(self, world: World, chance: Random) -> None:
        self.left: dict[str, datetime] = {}
        self.returned: dict[str, datetime] = {}
        self.lapses: dict[str, list[Span]] = {}
        self._done: list[tuple[datetime, Kind, str]] = []
        self._opened: list[tuple[datetime, int, str]] = []
        self._world = world
        self._chance = chance
        self._batches = 0

    async def open_rounds(self, count: int) -> None:
        """Open so many, all of them stale."""
        self._batches += 1
        prefix = f"b{self._batches}-"
        self._world.register(f"{prefix}{number}" for number in range(count))
        await self._insert(count, prefix)

    async def _insert(self, count: int, prefix: str) -> None:
        async def insert() -> None:
            with suppress(psycopg.errors.UniqueViolation):  # an earlier try did it, whose answer was lost
                await self._world.seed(count, prefix=prefix, at_vendor=False)

        await again(insert)
        self._opened.append((datetime.now(UTC), count, prefix))

    async def repeat(self, loss: Loss) -> None:
        """Repeat each lost act; each moment of a round's leaving stays the same."""
        may = timedelta(seconds=1)  # it is noted down after it is committed
        opened = [(count, prefix) for at, count, prefix in self._opened if loss.has(at, may)]
        for count, prefix in opened:
            await self._insert(count, prefix)
        lost = [(kind, name) for at, kind, name in self._done if loss.has(at, may)]
        for kind, name in lost:
            row = await self._shows(kind, name)
            if row is None or row.shows:
                continue
            if row.status == 0:
                await self._commit(kind, name)
            self.lapses.setdefault(name, []).append((loss.since, datetime.now(UTC) if row.status == 0 else ENDLESS))

    async def _shows(self, kind: Kind, name: str) -> Any:
        rows: list[Any] = []

        async def look() -> None:
            statement: LiteralString = "SELECT r.status, " + kind.shows + " AS shows FROM public.rounds r"
            rows[:] = await self._world.sql(statement + " WHERE r.round_id = %(name)s", name=name)

        await again(look)
        return rows[0] if rows else None

    async def keep_opening(self, count: int, every: float) -> None:
        """Open so many each `every` seconds, as long as there are not too many."""
        while True:
            if await self._open() < MOST_OPEN:
                await self.open_rounds(count)
            await asyncio.sleep(every)

    async def come_back(self) -> None:
        """Have a player come back to a round, who does not close it."""
        for name in await self._some(1):
            await self._commit(CAME_BACK, name)
            self.returned[name] = datetime.now(UTC)

    async def hold(self) -> None:
        """Have a round put on hold, for good."""
        for name in await self._some(1):
            await self._commit(HELD, name)
            self.returned[name] = datetime.now(UTC)

    async def reopen(self) -> None:
        """Have a young round under the id of a stale one."""
        for name in await self._some(1):
            await self._commit(REOPENED, name)
            self.returned[name] = datetime.now(UTC)

    async def poison(self) -> None:
        """Have a round's row make no sense any more, for good."""
        for name in await self._some(1):
            await self._commit(POISONED, name)
            self.returned[name] = datetime.now(UTC)

    async def double(self) -> None:
        """Have the view show a round twice, for good."""
        for name in await self._some(1):
            await self._commit(DOUBLED, name)
            self.returned[name] = datetime.now(UTC)

    async def complete(self) -> None:
        """Have a player complete a round: the vendor knows it first, and tells the operator."""
        for name in await self._some(1):
            truth = self._world.vendor.rounds[SECURE_LOGIN, name]
            if truth.status is RoundStatus.IN_PROGRESS:
                truth.status = RoundStatus.COMPLETED
                await self._commit(COMPLETED, name)
                self.left[name] = datetime.now(UTC)

    async def lock_rows(self, seconds: float) -> None:
        """Keep some open rounds locked for so long."""
        names = await self._some(40)
        with suppress(psycopg.OperationalError):
            async with await psycopg.AsyncConnection.connect(self._world.direct) as connection:
                await connection.execute("SELECT FROM public.rounds WHERE round_id = ANY (%s) FOR UPDATE", [names])
                await asyncio.sleep(seconds)

    async def vacuum(self) -> None:
        """Have the tables looked after."""
        tables: tuple[LiteralString, ...] = ("public.rounds", "retention.cancellations", "retention.attempts")
        for table in tables:
            with suppress(psycopg.OperationalError):
                await self._world.sql("VACUUM (ANALYZE) " + table)

    async def _open(self) -> int:
        found: list[int] = []

        async def look() -> None:
            (row,) = await self._world.sql("SELECT count(*) AS open FROM public.rounds WHERE status = 0")
            found.append(row.open)

        await again(look)
        return found[0]

    async def _some(self, count: int) -> list[str]:
        names: list[str] = []

        async def look() -> None:
            rows = await self._world.sql(
                "SELECT round_id FROM public.rounds WHERE status = 0 AND last_activity_at IS NULL"
                " ORDER BY opened_at LIMIT 400"
            )
            names[:] = [row.round_id for row in rows]

        await again(look)
        return self._chance.sample(names, min(count, len(names)))

    async def _commit(self, kind: Kind, name: str) -> None:
        await again(lambda: self._world.sql(kind.statement, name=name, round_id=name, **_HOLD))
        self._done.append((datetime.now(UTC), kind, name))


async def again(act: Callable[[], Awaitable[object]]) -> None:
    """Do the act, as often as the database makes necessary; the act may be done twice."""
    while True:
        try:
            await act()
        except psycopg.OperationalError:
            await asyncio.sleep(AGAIN)
        else:
            return
