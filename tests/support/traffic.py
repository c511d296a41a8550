"""The operator's own business, which goes on beside the job and through every fault of the database."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, LiteralString

import psycopg

from retention.vendor.simulator import RoundStatus
from support.world import SECURE_LOGIN

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from random import Random

    from support.world import World

AGAIN = 0.3
"""Seconds before something is tried again that the database was not there for."""

MOST_OPEN = 4000
"""Rounds left open by a fault, beyond which no more are opened."""


class Traffic:
    """Players, and those who look after them. `left`: when a round was completed; `returned`: when its player came back, it
    was put on hold, or its id became another round's, for good.

    Both are moments after COMMIT, in UTC, by round id.
    """

    def __init__(self, world: World, chance: Random) -> None:
        self.left: dict[str, datetime] = {}
        self.returned: dict[str, datetime] = {}
        self._world = world
        self._chance = chance
        self._batches = 0

    async def open_rounds(self, count: int) -> None:
        """Open so many, all of them stale."""
        self._batches += 1
        prefix = f"b{self._batches}-"
        self._world.register(f"{prefix}{number}" for number in range(count))

        async def insert() -> None:
            with suppress(psycopg.errors.UniqueViolation):  # an earlier try did it, whose answer was lost
                await self._world.seed(count, prefix=prefix, at_vendor=False)

        await again(insert)

    async def keep_opening(self, count: int, every: float) -> None:
        """Open so many each `every` seconds, as long as there are not too many."""
        while True:
            if await self._open() < MOST_OPEN:
                await self.open_rounds(count)
            await asyncio.sleep(every)

    async def come_back(self) -> None:
        """Have a player come back to a round, who does not close it."""
        for name in await self._some(1):
            await self._commit(
                "UPDATE public.rounds SET last_activity_at = now() WHERE round_id = %(name)s AND status = 0", name
            )
            self.returned[name] = datetime.now(UTC)

    async def hold(self) -> None:
        """Have a round put on hold, for good."""
        for name in await self._some(1):
            await self._commit(
                "INSERT INTO retention.holds (round_id, reason, created_by) VALUES (%(name)s, 'a complaint', 'ann')",
                name,
            )
            self.returned[name] = datetime.now(UTC)

    async def reopen(self) -> None:
        """Have a young round under the id of a stale one."""
        for name in await self._some(1):
            await self._commit(
                "UPDATE public.rounds SET opened_at = now() WHERE round_id = %(name)s AND status = 0", name
            )
            self.returned[name] = datetime.now(UTC)

    async def poison(self) -> None:
        """Have a round's row make no sense any more, for good."""
        for name in await self._some(1):
            await self._commit("UPDATE public.rounds SET stake = 'NaN' WHERE round_id = %(name)s AND status = 0", name)
            self.returned[name] = datetime.now(UTC)

    async def double(self) -> None:
        """Have the view show a round twice, for good."""
        for name in await self._some(1):
            await self._commit(
                "INSERT INTO public.twins SELECT * FROM public.rounds WHERE round_id = %(name)s AND status = 0", name
            )
            self.returned[name] = datetime.now(UTC)

    async def complete(self) -> None:
        """Have a player complete a round: the vendor knows it first, and tells the operator."""
        for name in await self._some(1):
            truth = self._world.vendor.rounds[SECURE_LOGIN, name]
            if truth.status is RoundStatus.IN_PROGRESS:
                truth.status = RoundStatus.COMPLETED
                await self._commit("UPDATE public.rounds SET status = 1 WHERE round_id = %(name)s AND status = 0", name)
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

    async def _commit(self, statement: LiteralString, name: str) -> None:
        await again(lambda: self._world.sql(statement, name=name))


async def again(act: Callable[[], Awaitable[object]]) -> None:
    """Do it, as often as the database makes necessary; what it does may be done twice."""
    while True:
        try:
            await act()
        except psycopg.OperationalError:
            await asyncio.sleep(AGAIN)
        else:
            return
