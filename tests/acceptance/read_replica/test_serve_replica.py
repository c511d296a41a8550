"""`serve` plans on the replica, at each scheduled time anew, and on the primary while the replica is of no use."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from support.invariants import violations
from support.read_pair import ReadPair, events
from support.replica import finished, schedule, serve, until

if TYPE_CHECKING:
    from support.world import World


async def test_a_daemon_plans_on_the_replica(paired: World, read_pair: ReadPair, replica: dict[str, str]) -> None:
    """A scheduled run is planned from the replica, and what closed within its lag is not cancelled."""
    await paired.seed(3)
    await schedule(paired)
    async with read_pair.paused():
        await paired.sql("UPDATE public.rounds SET status = 1 WHERE round_id = 'r0'")
        daemon = await serve(paired, environ=replica)
        await until(lambda: finished(paired))
        done = await daemon.stopped(signal.SIGTERM)
    (planned,) = events(done, "run.planned")
    assert ("replica", True) == (planned["read_on"], planned["lag_s"] > 0)
    assert {"r0": "no_longer_open", "r1": "cancelled", "r2": "cancelled"} == await paired.states()
    assert [] == await violations(paired)


async def test_a_daemon_outlives_its_replica(paired: World, read_pair: ReadPair, replica: dict[str, str]) -> None:
    """While the replica is away the daemon starts, plans on the primary and says why."""
    await paired.seed(2)
    await schedule(paired)
    await read_pair.standby.stop()
    daemon = await serve(paired, environ=replica)
    await until(lambda: finished(paired))
    done = await daemon.stopped(signal.SIGTERM)
    await read_pair.standby.start()
    (warned,) = events(done, "plan.replica_unused")
    assert "the replica cannot be reached" in warned["detail"]
    assert {"cancelled"} == {*(await paired.states()).values()}
