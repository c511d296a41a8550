"""The server's settings that trade safety for speed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.cluster import JOB, cluster
from support.world import make_world

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "ask_first", [pytest.param(True, marks=pytest.mark.long), False], ids=["asked first", "not asked"]
)
async def test_a_crash_loses_no_request_though_commits_are_not_waited_for(tmp_path: Path, ask_first: bool) -> None:
    """With synchronous_commit off, server and process are killed: each request that the vendor saw is on record."""
    async with cluster() as servers:
        for setting in ("synchronous_commit = off", "wal_writer_delay = '10s'", "wal_writer_flush_after = '1GB'"):
            await servers.primary.sql(f"ALTER SYSTEM SET {setting}")
        await servers.primary.sql("SELECT pg_reload_conf()")
        node = servers.primary
        async with make_world(node.dsn(JOB), tmp_path, node.dsn()) as world:
            await world.seed(400)
            world.vendor.latency = 0.02
            world.partner |= {"ask_first": ask_first, "rate": 100}
            process = await world.start("run", "nightly", "--json")
            await process.until(world.vendor, lambda: len(world.cancels) >= 60)
            stopping = node.stop()
            await process.gone()
            await stopping
            await node.start()
            recorded = {row.uuid for row in await world.sql("SELECT uuid::text FROM retention.attempts")}
            assert set() == {request.uuid for request in world.vendor.requests if request.uuid} - recorded
            check = await world.command("check")
            assert "synchronous_commit off (claims, settlements and decisions raise it to on)" in check.out
            assert "WARN  durability: fsync off" in check.out


async def test_check_tells_of_a_standby_that_may_lag(tmp_path: Path) -> None:
    """A standby that no COMMIT waits for is named, as it may be promoted with less; a synchronous one is no warning."""
    async with cluster() as servers, make_world(servers.primary.dsn(JOB), tmp_path, servers.primary.dsn()) as world:
        assert "ok    standbys: 1 connected" in (await world.command("check")).out
        await servers.primary.sql("ALTER SYSTEM RESET synchronous_standby_names")
        await servers.primary.sql("SELECT pg_reload_conf()")
        assert "WARN  standbys: 1 standby is connected, and it is not synchronous" in (await world.command("check")).out
