"""Each fault of the database and of a host has its described effect, as a plain client sees it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest
from support.cluster import JOB, Cluster
from support.fleet import clock_off_by

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def made() -> Iterator[Cluster]:
    """Yield a primary and its standby, for all tests: the end mends their faults."""
    servers = Cluster(lambda _: None)
    try:
        asyncio.run(servers.make())
        yield servers
    finally:
        asyncio.run(servers.remove())


@pytest.fixture
async def servers(made: Cluster) -> Cluster:
    """Return the cluster, with a table of the test's own."""
    await made.primary.sql("DROP TABLE IF EXISTS public.numbers")
    await made.primary.sql("CREATE TABLE public.numbers (n int)")
    return made


async def numbers(servers: Cluster) -> list[int]:
    """The table's rows."""
    return [n for (n,) in await servers.primary.sql("SELECT n FROM public.numbers ORDER BY n")]


async def test_a_fail_over_keeps_commits(servers: Cluster) -> None:
    """Commits before a fail-over, and before the next one, are on the server that takes over; the old ones are dead."""
    first = servers.primary
    await servers.primary.sql("INSERT INTO public.numbers VALUES (1)")
    await servers.fail_over()
    second = servers.primary
    await servers.primary.sql("INSERT INTO public.numbers VALUES (2)")
    await servers.fail_over()
    assert [1, 2] == await numbers(servers)
    assert 3 == len({first.socket, second.socket, servers.primary.socket})
    assert [[], []] == [first.processes(), second.processes()]


async def test_a_commit_waits_for_the_standby(servers: Cluster) -> None:
    """A commit that would be on the primary alone is not acknowledged before the standby has it too."""
    assert servers.standby is not None
    await servers.standby.stop()
    inserting = asyncio.create_task(servers.primary.sql("INSERT INTO public.numbers VALUES (1)"))
    assert not (await asyncio.wait([inserting], timeout=0.5))[0]
    await servers.standby.start()
    await inserting
    assert [1] == await numbers(servers)


async def test_a_crash_keeps_commits(servers: Cluster) -> None:
    """A server that was stopped with -m immediate comes back with its acknowledged commits."""
    await servers.primary.sql("INSERT INTO public.numbers VALUES (1)")
    await servers.crash()
    assert [1] == await numbers(servers)


async def test_a_full_disk_refuses_commits(servers: Cluster) -> None:
    """Without room for WAL no commit succeeds; with room again, every earlier commit is there, and the server goes
    on.
    """
    if not servers.primary.small:
        pytest.skip("no tmpfs can be mounted here: that takes root, and a kernel that allows it")
    refused = 0
    async with servers.full_disk():
        for n in range(100):
            try:
                await servers.primary.sql(
                    f"SELECT pg_logical_emit_message(true, '', repeat('x', 100000)); INSERT INTO public.numbers VALUES ({n})"
                )
            except psycopg.OperationalError:
                refused = n
                break
    assert [*range(refused)] == await numbers(servers)
    await servers.primary.sql("INSERT INTO public.numbers VALUES (100)")
    assert [*range(refused), 100] == await numbers(servers)


@pytest.mark.parametrize("by_role", [False, True])
async def test_taken_connections_are_refused(servers: Cluster, by_role: bool) -> None:
    """While all connections are taken the job's role gets none, and loses its own; the superuser still has one."""
    async with (
        await psycopg.AsyncConnection.connect(servers.primary.dsn(JOB), autocommit=True) as old,
        servers.connections_taken(by_role=by_role),
    ):
        with pytest.raises(psycopg.OperationalError):
            await old.execute("SELECT 1")
        with pytest.raises(psycopg.OperationalError, match=r"too many connections|connection slots"):
            await psycopg.AsyncConnection.connect(servers.primary.dsn(JOB))
        assert [] == await numbers(servers)
    async with await psycopg.AsyncConnection.connect(servers.primary.dsn(JOB)) as new:
        assert (1,) == await (await new.execute("SELECT 1")).fetchone()


def test_a_clock_that_is_off() -> None:
    """The process that it is set for has another time of day by each of Python's ways to ask, and the same monotonic
    time.
    """
    asks = (
        "import time, datetime as d; now = d.datetime.now(d.UTC);"
        "print(now.isoformat(), d.datetime.fromtimestamp(time.time(), d.UTC).isoformat(),"
        " d.datetime.fromtimestamp(time.time_ns() / 1e9, d.UTC).isoformat(),"
        " d.datetime(*time.gmtime()[:6], tzinfo=d.UTC).isoformat(), d.datetime.utcnow().isoformat() + '+00:00',"
        " isinstance(now, d.datetime), type(now) is d.datetime, time.monotonic())"
    )
    before = datetime.now(UTC)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", asks],
        env={**os.environ, **clock_off_by(3600.0)},
        capture_output=True,
        text=True,
        check=True,
    )
    *times, is_one, is_it, monotonic = done.stdout.split()
    hour = timedelta(hours=1)
    second = timedelta(seconds=1)  # one of the ways rounds down to this
    assert [True] * 5 == [
        before + hour - second <= datetime.fromisoformat(one) <= datetime.now(UTC) + hour for one in times
    ]
    assert ("True", "True") == (is_one, is_it)
    assert abs(float(monotonic) - time.monotonic()) < 60
