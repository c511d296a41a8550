"""A server that is no replica of use is named with its mend, and the view is read on the primary."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import make_conninfo
from support.cluster import JOB
from support.postgres_node import Node, installed
from support.read_pair import POLL_S, TEMPLATE, ReadPair, checked, events, reading, why_primary
from support.world import make_world

from retention.ledger.database import open_database
from retention.ledger.read_replica import PlanViews
from retention.settings.rules import check_dsn
from retention.settings.secret import Secret

if TYPE_CHECKING:
    from pathlib import Path

    from support.world import Running, World


async def test_a_server_of_another_cluster_is_refused(paired: World, postgres: str) -> None:
    """A server that is no replica of the primary is named, and not read."""
    assert "system_identifier differs" in await why_primary(paired, reading(postgres))


async def test_the_primary_itself_is_refused(paired: World) -> None:
    """A read_dsn that names the primary is named: nothing is gained by it."""
    assert "it is the primary itself, or a copy of it" in await why_primary(paired, reading(paired.dsn))


async def test_another_database_is_refused(paired: World, read_pair: ReadPair, pair_name: str) -> None:
    """A read_dsn that names another database of the replica is named."""
    other = reading(make_conninfo(read_pair.standby.dsn(JOB), dbname=TEMPLATE))
    assert f"read_dsn names the database {TEMPLATE}, and dsn {pair_name}" in await why_primary(paired, other)


async def test_a_login_that_the_replica_refuses_is_named(paired: World, read_pair: ReadPair, pair_name: str) -> None:
    """A login that fails on the replica is named with its mend, under the key read_dsn."""
    stranger = reading(make_conninfo(read_pair.standby.dsn("nobody_4711"), dbname=pair_name))
    why = await why_primary(paired, stranger)
    assert 'role "nobody_4711" does not exist; name a role of this server in database.read_dsn' in why


async def test_a_view_that_is_not_replayed_yet_is_named(
    paired: World, read_pair: ReadPair, replica: dict[str, str]
) -> None:
    """While the replica lacks the view that the primary has, plans are read on the primary."""
    ((text,),) = await paired.sql("SELECT pg_get_viewdef('retention.open_rounds'::regclass)")
    await paired.sql("DROP VIEW retention.open_rounds")
    async with read_pair.paused():
        await ReadPair.run(
            paired.direct,
            f"CREATE VIEW retention.open_rounds AS {text}; GRANT SELECT ON retention.open_rounds TO {JOB}",
        )
        assert "the replica has no view retention.open_rounds yet" in await why_primary(paired, replica)


async def test_a_column_that_is_not_replayed_yet_is_named(
    paired: World, read_pair: ReadPair, replica: dict[str, str]
) -> None:
    """While the replica's view lacks a column, plans are read on the primary."""
    ((text,),) = await paired.sql("SELECT pg_get_viewdef('retention.open_rounds'::regclass)")
    await paired.sql("DROP VIEW retention.open_rounds")
    await ReadPair.run(paired.direct, "CREATE VIEW retention.open_rounds AS SELECT 1 AS n")
    async with read_pair.paused():
        await ReadPair.run(
            paired.direct,
            f"DROP VIEW retention.open_rounds; CREATE VIEW retention.open_rounds AS {text};"
            f" GRANT SELECT ON retention.open_rounds TO {JOB}",
        )
        done = await paired.command("plan", "--json", environ=replica)
    assert "the replica refused to show the view" in done.json["view"]["why_primary"], done.err


async def test_the_right_to_temporary_tables_is_named(
    paired: World, read_pair: ReadPair, pair_name: str, replica: dict[str, str]
) -> None:
    """Without the right to temporary tables the primary is read; the GRANT that is named mends it."""
    await ReadPair.run(paired.direct, f"REVOKE TEMPORARY ON DATABASE {pair_name} FROM PUBLIC")
    why = await why_primary(paired, replica)
    grant = f"GRANT TEMPORARY ON DATABASE {pair_name} TO {JOB}"
    assert grant in why
    await ReadPair.run(paired.direct, grant)
    await read_pair.caught_up()
    assert (await checked(paired, replica))["message"].startswith("the view was read on the replica")


async def test_promoted_servers_are_refused(
    paired: World, read_pair: ReadPair, pair_name: str, replica: dict[str, str], tmp_path: Path
) -> None:
    """A standby that was promoted is no replica any more; nor is one of another timeline than the primary's."""
    other = Node(*installed())
    try:
        await other.copy(read_pair.primary)
        await other.start()
        await other.promote()
        promoted = make_conninfo(other.dsn(JOB), dbname=pair_name)
        assert "has been promoted: it accepts writes, on timeline 2" in await why_primary(paired, reading(promoted))
        async with make_world(promoted, tmp_path, make_conninfo(other.dsn(), dbname=pair_name)) as after:
            why = await why_primary(after, replica)
        assert "follows timeline 1, and the primary is on 2" in why
    finally:
        await other.remove()


SLEEPING = "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'"

SLOW_THERE = """
CREATE FUNCTION public.slow() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF pg_is_in_recovery() THEN PERFORM pg_sleep(60); END IF;
    RETURN true;
END $$;
CREATE OR REPLACE VIEW retention.open_rounds AS
SELECT partner, market, game AS game_id, user_id, round_id, opened_at, last_activity_at, currency, stake,
       bet_tx AS bet_transaction_id FROM public.rounds WHERE status = 0 AND public.slow()
"""


async def until_read(read_pair: ReadPair, run: Running) -> None:
    """Wait until a run reads the view on the standby."""
    while not await read_pair.standby.sql(SLEEPING):
        assert not run.over, await run.ended()
        await asyncio.sleep(POLL_S)


async def cancel_query(paired: World, read_pair: ReadPair, run: Running) -> None:
    """Make a change that the standby can replay only after it has cancelled the query of this run there."""
    await until_read(read_pair, run)
    await ReadPair.run(paired.direct, "BEGIN; LOCK TABLE public.rounds IN ACCESS EXCLUSIVE MODE; COMMIT")
    while await read_pair.standby.sql(SLEEPING):
        await asyncio.sleep(POLL_S)


async def test_a_silent_server_is_given_up(paired: World) -> None:
    """A server that takes the connection and never answers holds a plan up for seconds, and stops nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        done = await paired.command(
            "plan", "--json", environ=reading(f"host=127.0.0.1 port={port} dbname=operator sslmode=disable")
        )
    assert 0 == done.code, done.err
    assert "the replica cannot be reached" in done.json["view"]["why_primary"]


async def test_a_replica_that_dies_while_it_is_read(
    paired: World, read_pair: ReadPair, replica: dict[str, str]
) -> None:
    """A run whose replica crashes in the midst of the view is planned on the primary, once."""
    await paired.seed(3)
    await ReadPair.run(paired.direct, SLOW_THERE)
    await read_pair.caught_up()
    run = await paired.start("run", "--json", environ=replica)
    await until_read(read_pair, run)
    await read_pair.standby.stop()
    done = await run.ended()
    await read_pair.standby.start()
    assert (0, {"cancelled": 3}) == (done.code, done.json["states"]), done.err
    (warned,) = events(done, "plan.replica_unused")
    assert "the replica went away" in warned["detail"]
    assert [(1,)] == await paired.sql("SELECT count(*)::int FROM retention.runs")


async def test_a_query_that_the_replica_cancels_is_tried_again(
    paired: World, read_pair: ReadPair, replica: dict[str, str]
) -> None:
    """A conflict with recovery is tried once more on the replica, and then on the primary: the run is done."""
    await paired.seed(3)
    await ReadPair.run(paired.direct, SLOW_THERE)
    await read_pair.standby.sql("ALTER SYSTEM SET max_standby_streaming_delay = 0")
    await read_pair.standby.sql("SELECT pg_reload_conf()")
    await read_pair.caught_up()
    run = await paired.start("run", "--json", environ=replica)
    await cancel_query(paired, read_pair, run)
    await cancel_query(paired, read_pair, run)
    done = await run.ended()
    assert (0, {"cancelled": 3}) == (done.code, done.json["states"]), done.err
    (warned,) = events(done, "plan.replica_unused")
    assert "hot_standby_feedback = on" in warned["detail"]
    assert [(1,)] == await paired.sql("SELECT count(*)::int FROM retention.runs")


@pytest.mark.usefixtures("files_settle_at_once")
async def test_a_changed_file_of_the_address_is_read_for_the_next_plan(
    paired: World, read_pair: ReadPair, pair_name: str, tmp_path: Path
) -> None:
    """`read_dsn_file` is read again once it has changed, without a restart."""
    file = tmp_path / "read-dsn"
    file.write_text(make_conninfo(read_pair.standby.dsn(JOB), dbname=pair_name), "utf-8")
    views = PlanViews(Secret(file, check_dsn).reveal)
    async with open_database(lambda: paired.dsn, size=1) as database:
        assert (await views.probe(database)).on_replica
        file.write_text("host=/nowhere dbname=operator", "utf-8")
        assert "cannot be reached" in str((await views.probe(database)).why_primary)


async def test_the_address_of_the_replica_is_written_nowhere(
    paired: World, read_pair: ReadPair, pair_name: str
) -> None:
    """The password in read_dsn is masked in every output, also where it is refused."""
    dsn = make_conninfo(read_pair.standby.dsn("nobody_4711"), dbname=pair_name, password="hunter2-hunter2")
    for words in (("plan",), ("check", "--json"), ("run", "--dry-run")):
        done = await paired.command("--log-level", "debug", *words, environ=reading(dsn))
        assert "hunter2" not in done.out + done.err
        assert dsn not in done.out + done.err
