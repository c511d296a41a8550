"""A partition that is taken from the present month, while a run is at work, loses no outcome."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from support.invariants import violations

if TYPE_CHECKING:
    from support.world import World

DETACH = """
DO $$ BEGIN EXECUTE format('ALTER TABLE retention.%%1$I DETACH PARTITION retention.%%1$I_%%2$s', '{}',
                           to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')); END $$
"""

FAILED = "SELECT xact_rollback AS failed FROM pg_stat_database WHERE datname = current_database()"


@pytest.mark.parametrize("root", ["evidence", "attempts"])
async def test_replies_wait_for_a_partition_that_is_gone(world: World, root: str) -> None:
    """The replies wait in memory, nothing more is sent, and all is settled as it was replied once the month is whole."""
    await world.seed(60)
    world.partner |= {"rate": 20, "concurrency": 10}
    world.vendor.latency = 0.3
    run = await world.start("run", "nightly", "--json")
    await run.until(world.vendor, lambda: len(world.cancels) > 10)
    ((before,),) = await world.sql(FAILED)
    await world.sql(DETACH.replace("{}", root))
    while (await world.sql(FAILED))[0].failed < before + 3:
        assert not run.over, await run.ended()
        await asyncio.sleep(0.05)
    assert len(world.cancels) < 60
    while await world.sql("SELECT retention.begin_month()"):
        pass
    done = await run.ended()
    assert (0, {"cancelled": 60}) == (done.code, done.json["states"]), done.err
    problems = [one["problem"] for one in done.events if one["event"] == "database.away"]
    assert [] == [one for one in problems if "no partition of relation" not in one]
    assert problems or root == "attempts", "no reply met the gap"  # there, claims alone may have met it
    assert [] == await violations(world)
