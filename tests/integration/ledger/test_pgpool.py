"""The job through Pgpool-II, whose other server is a replica that is a minute behind."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import make_conninfo
from support.cluster import JOB, cluster
from support.pgpool import MISSING, program, running_pgpool
from support.world import make_world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from support.world import World

pytestmark = [pytest.mark.long, pytest.mark.skipif(program() is None, reason=MISSING)]

TO_PRIMARY = {
    "no balancing": "load_balance_mode = off",
    "the job goes to the primary": "app_name_redirect_preference_list = 'retention:primary'\nload_balance_mode = on",
}

COMMANDS = (
    *(("check",), ("plan", "nightly"), ("run", "nightly", "--yes"), ("audit", "verify"), ("report", "--all")),
    *(("runs", "list"), ("explain", "--partner", "acme", "--round", "r0"), ("hold", "list")),
)


@asynccontextmanager
async def behind(folder: Path, more: str) -> AsyncIterator[World]:
    """Yield a world whose commands reach the two servers through Pgpool-II."""
    async with cluster() as servers:
        assert servers.standby is not None
        for node, setting in (
            (servers.primary, "synchronous_standby_names = ''"),
            (servers.standby, "recovery_min_apply_delay = '60s'"),
        ):
            await node.sql(f"ALTER SYSTEM SET {setting}")
            await node.sql("SELECT pg_reload_conf()")
        with running_pgpool(servers.primary, servers.standby, more) as dsn:
            async with make_world(make_conninfo(dsn, user=JOB), folder, servers.primary.dsn()) as world:
                yield world


@pytest.mark.parametrize("more", TO_PRIMARY.values(), ids=TO_PRIMARY)
async def test_a_job_through_pgpool_asks_the_primary_alone(tmp_path: Path, more: str) -> None:
    """Set as `check` wants it, Pgpool-II sends no statement to the replica, and each command works."""
    async with behind(tmp_path, more) as world:
        ids = await world.seed(20)
        ends = {words[0]: await world.command(*words) for words in COMMANDS}
        assert {} == {name: done.out + done.err for name, done in ends.items() if done.code}
        assert "ok    pgpool: Pgpool-II stands between" in ends["check"].out
        assert len(ids) == len(world.cancels)
        assert [(2, 20)] == [
            tuple(row) for row in await world.sql("SELECT status, count(*) FROM public.rounds GROUP BY 1")
        ]


async def test_a_pgpool_that_balances_is_refused_by_check(tmp_path: Path) -> None:
    """Where a replica may get the job's statements, `check` fails by name before the first of them."""
    async with behind(tmp_path, "load_balance_mode = on") as world:
        done = await world.command("check", "--json")
        (found,) = [one for one in done.json["checks"] if one["name"] == "pgpool"]
        assert (2, False) == (done.code, found["ok"])
        assert "app_name_redirect_preference_list = 'retention:primary'" in found["message"]
