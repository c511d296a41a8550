"""Plans on a replica through PgBouncer in transaction mode, on both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import make_conninfo
from support import pgbouncer
from support.cluster import JOB
from support.invariants import violations
from support.read_pair import ReadPair, events, reading
from support.world import make_world

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(pgbouncer.program() is None, reason=pgbouncer.MISSING)


async def test_a_run_plans_on_a_replica_through_poolers(read_pair: ReadPair, pair_name: str, tmp_path: Path) -> None:
    """Where each transaction may get another session, the same server is compared and read, and the copy is found."""
    direct = make_conninfo(read_pair.primary.dsn(), dbname=pair_name)
    with (
        pgbouncer.running_pgbouncer(read_pair.primary.dsn()) as here,
        pgbouncer.running_pgbouncer(read_pair.standby.dsn()) as there,
    ):
        dsn, replica = (make_conninfo(one, dbname=pair_name, user=JOB) for one in (here, there))
        async with make_world(dsn, tmp_path, direct) as world:
            await world.seed(30)
            await read_pair.caught_up()
            done = await world.command("run", "--json", environ=reading(replica))
            assert (0, {"cancelled": 30}) == (done.code, done.json["states"]), done.err
            assert ["replica"] == [one["read_on"] for one in events(done, "run.planned")]
            check = await world.command("check", "--json", environ=reading(replica))
            assert [False] == [one["warning"] for one in check.json["checks"] if one["name"] == "replica"]
            assert [] == await violations(world)
