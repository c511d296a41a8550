"""Reports of long waits: each wait once, with its lock and holder, and its end."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import structlog
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from support.pgbouncer import MISSING, program, running_pgbouncer

from retention.errors import DatabaseUnreachableError
from retention.ledger import lock_waits as waits
from retention.ledger import session as session_module
from retention.ledger.database import open_database
from retention.ledger.migrations import LOCK, migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.world import World


class Lines:
    """A log that tests can wait for."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.log = structlog.wrap_logger(None, processors=[self._keep], wrapper_class=structlog.BoundLogger)

    def _keep(self, _logger: Any, level: str, event: Any) -> Any:
        self.events.append({**event, "level": level})
        raise structlog.DropEvent

    def named(self, name: str) -> list[dict[str, Any]]:
        """The lines with this event name."""
        return [event for event in self.events if event["event"] == name]

    async def until_told(self, words: str) -> None:
        """Wait until a line contains these words."""
        while not any(words in line["detail"] for line in self.named("database.waiting")):
            await asyncio.sleep(0.01)

    async def until(self, name: str, count: int = 1) -> None:
        """Wait until `count` lines have this event name."""
        while len(self.named(name)) < count:
            await asyncio.sleep(0.01)


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Lines:
    """Yield a log that gets reports of waits soon."""
    monkeypatch.setattr(waits, "REPORT_AFTER_S", 0.2)
    return Lines()


@asynccontextmanager
async def locked(world: World, table: str = "public.rounds") -> AsyncIterator[int]:
    """Lock a table as a session with an application name; yields its process number."""
    async with await psycopg.AsyncConnection.connect(world.direct, application_name="psql") as connection:
        await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
        yield connection.info.backend_pid


async def test_lock_wait_is_reported_once_with_its_holder(
    world: World, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many statements that wait for one table make one line with the lock's holder, and one line at the end."""
    monkeypatch.setattr(waits, "REPORT_AFTER_S", 2.0)  # on a busy machine too, all wait for the lock by then
    async with open_database(lambda: world.direct, 4, lines.log) as database:
        async with locked(world) as pid:
            looks = [
                asyncio.create_task(database.rows("reports/get_open_round", partner="a", round_id=str(n)))
                for n in range(2)
            ]
            looks.append(
                asyncio.create_task(database.rows("checks/find_rounds_by_key", partners=["a"], round_ids=["b"]))
            )
            await world.until_waiting(3)
            await lines.until_told("a lock on public.rounds")
            await asyncio.sleep(0.5)  # for a second line, which does not come
        await asyncio.gather(*looks)
        await lines.until("database.goes_on")
    # On a busy machine a connection is waited for as well.
    (told,) = [line for line in lines.named("database.waiting") if "free connection" not in line["detail"]]
    assert "warning" == told["level"]
    assert told["detail"].startswith(
        f"waits for a lock on public.rounds, held by process {pid} (application psql, since "
    )
    assert len(lines.named("database.waiting")) == len(lines.named("database.goes_on"))


async def test_retried_wait_is_reported_once(world: World, lines: Lines) -> None:
    """A statement that is retried and waits for the same lock each time is reported once."""
    async with open_database(lambda: world.direct, 2, lines.log) as database:
        async with locked(world, "retention.runs"):
            first = asyncio.create_task(database.row("runs/get_run", run_id=None))
            await lines.until_told("a lock on retention.runs")
            first.cancel()
            await asyncio.wait([first])
            for _ in range(2):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.8):
                        await database.row("runs/get_run", run_id=None)
        await database.row("runs/get_run", run_id=None)
    # On a busy machine connections and answers are waited for as well.
    assert 1 == len([line for line in lines.named("database.waiting") if "a lock on" in line["detail"]])
    assert len(lines.named("database.waiting")) == len(lines.named("database.goes_on"))


async def test_row_lock_wait_names_its_table(world: World, lines: Lines) -> None:
    """A wait for a row's lock names the table."""
    await world.sql("INSERT INTO public.rounds VALUES ('a', 'MT', 'g', 'u', 'r', now())")
    async with (
        open_database(lambda: world.direct, 4, lines.log) as database,
        await psycopg.AsyncConnection.connect(world.direct) as other,
        database.connection() as connection,
    ):
        await other.execute("SELECT FROM public.rounds FOR UPDATE")
        task = asyncio.create_task(connection.execute("UPDATE public.rounds SET status = 0"))
        await lines.until_told("a lock on a row of public.rounds")
        await other.rollback()
        await task


async def test_waiting_migration_is_reported(world: World, lines: Lines) -> None:
    """`db migrate` reports that it waits for another migration."""
    async with (
        open_database(lambda: world.direct, 4, lines.log) as database,
        await psycopg.AsyncConnection.connect(world.direct) as other,
    ):
        await other.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        task = asyncio.create_task(migrate(database))
        await lines.until_told("waits for an advisory lock, held by process")
        await other.rollback()
        assert [] == await task


@pytest.mark.skipif(program() is None, reason=MISSING)
async def test_lock_wait_is_reported_through_a_pooler(world: World, postgres: str, lines: Lines) -> None:
    """Through PgBouncer, where a connection does not know its backend, the lock is still reported."""
    with running_pgbouncer(postgres) as front:
        dsn = make_conninfo(front, dbname=conninfo_to_dict(world.direct)["dbname"])
        async with open_database(lambda: dsn, 2, lines.log) as database:
            async with locked(world) as pid:
                look = asyncio.create_task(database.rows("reports/get_open_round", partner="a", round_id="b"))
                await lines.until_told(f"a lock on public.rounds, held by process {pid} (application psql")
            await look


async def test_slow_statement_and_exhausted_pool_are_reported(world: World, lines: Lines) -> None:
    """A slow statement is reported by its name, and so is a pool without a free connection."""
    await world.sql("CREATE OR REPLACE VIEW retention.open_rounds AS SELECT r.* FROM (SELECT pg_sleep(3)) AS s,"
                    " LATERAL (SELECT partner, market, game AS game_id, user_id, round_id, opened_at, last_activity_at,"
                    " currency, stake, bet_tx AS bet_transaction_id FROM public.rounds WHERE s IS NOT NULL) AS r")  # fmt: skip
    async with open_database(lambda: world.direct, 1, lines.log) as database:
        slow = asyncio.create_task(database.rows("reports/get_open_round", partner="a", round_id="b"))
        await lines.until("database.waiting")
        await database.row("clocks/get_time")
        await slow
    assert {
        "waits for the database's answer (reports/get_open_round)",
        "waits for a free connection to the database",
    } <= {event["detail"] for event in lines.named("database.waiting")}


async def test_slow_connect_is_reported(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow connect is reported before it fails."""
    monkeypatch.setitem(session_module.CONNECTION_OPTIONS, "connect_timeout", 2)
    with socket.socket() as silent:  # it accepts, and says nothing
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        dsn = f"host=127.0.0.1 port={silent.getsockname()[1]} user=u dbname=d sslmode=disable gssencmode=disable"
        with pytest.raises(DatabaseUnreachableError):
            async with open_database(lambda: dsn, 1, lines.log):
                pass
    assert ["waits for the database to let it in"] == [event["detail"] for event in lines.named("database.waiting")]


async def test_commands_report_their_lock_waits(world: World) -> None:
    """`plan`, `check` and `run` report in one line each that the operator's table is locked, and its holder."""
    await world.seed(2)
    words = (["plan", "nightly"], ["check"], ["run", "nightly", "--yes"])
    logs = [world.folder / f"{command[0]}.log" for command in words]
    async with locked(world) as pid:
        for log in logs:
            log.touch()
        started = [await world.start(*command, instead={2: str(log)}) for command, log in zip(words, logs, strict=True)]
        while not all("database.waiting" in log.read_text("utf-8") for log in logs):
            assert not any(running.over for running in started)
            await asyncio.sleep(0.05)
    assert [0, 0, 0] == [(await running.ended()).code for running in started]
    for log in logs:
        lines = [line for line in log.read_text("utf-8").splitlines() if "database.waiting" in line]
        assert [True] == [
            f"waits for a lock on public.rounds, held by process {pid} (application psql" in line for line in lines
        ]
