"""A standby that lags behind takes over while requests are in flight."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from support.cluster import JOB, cluster
from support.fleet import dsn_through
from support.invariants import violations
from support.proxy import Proxy
from support.world import make_world

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.long
@pytest.mark.parametrize("ask_first", [True, False], ids=["asked first", "not asked"])
async def test_commits_of_a_lost_primary_are_recorded_again(tmp_path: Path, ask_first: bool) -> None:
    """Claims and settlements of the last second are lost: two processes that live record them again, and repeat
    nothing.
    """
    async with (
        Proxy(None) as way,
        cluster(lambda socket: setattr(way, "upstream", socket)) as servers,
        make_world(dsn_through(way, JOB), tmp_path, dsn_through(way, "postgres")) as world,
    ):
        await world.seed(400)
        world.vendor.latency = 0.7
        world.partner |= {"ask_first": ask_first, "rate": 60, "concurrency": 60}
        first = await world.start("run", "nightly", "--json")
        await first.until(world.vendor, lambda: len(world.cancels) > 20)
        run_id = (await world.sql("SELECT run_id FROM retention.runs"))[0].run_id
        second = await world.start("run", "--resume", str(run_id), "--json")
        await first.until(world.vendor, lambda: len(world.cancels) > 120)
        await servers.fail_over(lagging=1.0)
        done = await asyncio.gather(first.ended(), second.ended())
        events = {event["event"] for one in done for event in one.events}
        assert "attempts.restored" in events, done[0].err[-3000:]
        assert {"cancelled": 400} == done[0].json["states"], done[0].err[-3000:]
        assert {1} == set(Counter(request.round_id for request in world.cancels).values())
        assert [] == await violations(world)
