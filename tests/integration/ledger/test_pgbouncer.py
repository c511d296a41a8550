"""The job through PgBouncer in transaction mode, where no statement may rely on its session."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row
from support.archiving import aged, archive
from support.invariants import violations
from support.pgbouncer import CONSOLE, MISSING, program, running_pgbouncer
from support.postgres import new_database
from support.replica import until
from support.world import make_world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(program() is None, reason=MISSING)

POOL = 2
"""Connections to the server, for however many clients."""


@pytest.fixture
def narrow(postgres: str, template: str) -> Iterator[str]:
    """Yield the DSN of a database of the test's own, behind a pool that even one process would exhaust."""
    with running_pgbouncer(postgres, pool_size=POOL, reserve=0) as dsn, new_database(postgres, template) as name:
        yield make_conninfo(dsn, dbname=name)


async def test_two_processes_share_a_run_through_pgbouncer(narrow: str, postgres: str, tmp_path: Path) -> None:
    """Two processes without connections of their own share a run; vendor, ledger and operator agree at the end."""
    clients = backends = 0
    async with (
        make_world(narrow, tmp_path) as world,
        await psycopg.AsyncConnection.connect(
            make_conninfo(narrow, dbname=CONSOLE), autocommit=True, prepare_threshold=None, row_factory=dict_row
        ) as console,
        await psycopg.AsyncConnection.connect(postgres, autocommit=True) as server,
    ):
        await world.seed(480)
        world.partner["rate"] = 60
        first = await world.start("run", "nightly", "--yes", "--json")
        await first.until(world.vendor, lambda: len(world.vendor.requests) > 0)
        (run,) = await world.sql("SELECT run_id, current_database() AS database FROM retention.runs")
        second = await world.start("run", "--resume", str(run.run_id), "--yes", "--json")
        ends = asyncio.gather(first.ended(), second.ended())
        while not ends.done():
            pools = await (await console.execute("SHOW POOLS")).fetchall()
            [pool] = [pool for pool in pools if pool["database"] == run.database]
            assert "transaction" == pool["pool_mode"]
            clients = max(clients, pool["cl_active"] + pool["cl_waiting"])
            counted = await server.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'",
                [run.database],
            )
            [(found,)] = await counted.fetchall()
            backends = max(backends, found)
            await asyncio.sleep(0.02)
        assert [(0, {"cancelled": 480})] * 2 == [(done.code, done.json["states"]) for done in await ends]
        assert 2 == len(await world.sql("SELECT DISTINCT replica FROM retention.attempts WHERE sent_at IS NOT NULL"))
        assert [] == await violations(world)
    assert backends <= POOL < clients


async def test_months_are_archived_through_pgbouncer(narrow: str, postgres: str, tmp_path: Path) -> None:
    """A month leaves by two connections of a pool, rounds that stay included: DETACH CONCURRENTLY needs no session."""
    direct = make_conninfo(postgres, dbname=conninfo_to_dict(narrow)["dbname"])
    async with make_world(narrow, tmp_path, direct) as world:
        folder = aged(world, refused=1)
        done = await archive(world, folder, "--json")
        assert (0, ["2024-01", "2024-02"]) == (done.code, [one["month"] for one in done.json["months"]]), done.err
        assert [("2024-01-x1",), ("2024-02-x1",)] == await world.sql(
            "SELECT round_id FROM retention.cancellations ORDER BY id"
        )
        resolved = await world.command(
            *("review", "resolve", str(202401 * 10**10 + 5), "--as", "rejected", "--by", "ann", "--note", "asked")
        )
        assert 0 == resolved.code, resolved.err
        assert 0 == (await archive(world, folder)).code
        assert [] == await world.sql("SELECT FROM pg_class WHERE relname ~ '_2024_01$' AND relkind = 'r'")
        verified = await world.command("audit", "verify", "--archives", str(folder), "--json")
        assert (0, 11) == (verified.code, verified.json["archived"]["files_read"]), verified.out


def test_each_transaction_may_be_on_another_connection(narrow: str) -> None:
    """The trap is set: a client that stays connected goes from one of the server's sessions to the next."""
    with psycopg.connect(narrow, autocommit=True) as one, psycopg.connect(narrow, autocommit=True) as other:
        with one.transaction():
            one.execute("SELECT")
            other.execute("SELECT")
        sessions = {one.execute("SELECT pg_backend_pid()").fetchone() for _ in range(2 * POOL)}
    assert POOL == len(sessions)


async def test_a_pgbouncer_that_ends_is_started_again(narrow: str) -> None:
    """The tests after it do not suffer from a PgBouncer that gave up: it is there again, as under a service manager."""
    console = make_conninfo(narrow, dbname=CONSOLE)
    async with await psycopg.AsyncConnection.connect(console, autocommit=True, prepare_threshold=None) as connection:
        with pytest.raises(psycopg.OperationalError):
            await connection.execute("SHUTDOWN")
    async with asyncio.timeout(300):
        await until(lambda: answers(narrow))


async def answers(dsn: str) -> bool:
    """Whether a statement gets an answer."""
    try:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True, prepare_threshold=None) as connection:
            await connection.execute("SELECT")
    except psycopg.OperationalError:
        return False
    return True
