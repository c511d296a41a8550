"""Fixtures for every test."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import aiohttp
import pytest
import structlog
from hypothesis import HealthCheck, settings
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from support import pgbouncer
from support.cluster import JOB
from support.ledger import Book
from support.postgres import new_database, only_on_our_own, running_server, template_database
from support.read_pair import ReadPair, reading
from support.vendor import open_round
from support.world import World, make_world

from retention.ledger.database import Database, open_database
from retention.simulator.server import Simulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

# How long an example takes, and how long it takes to think of one, is the machine's affair.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_configure() -> None:
    """Report once, and not at each test, that a requested program is missing."""
    if pgbouncer.wanted() and pgbouncer.program() is None:
        raise pytest.UsageError(f"RETENTION_TEST_PGBOUNCER: {pgbouncer.MISSING}")


def pytest_xdist_auto_num_workers() -> int:
    """Three workers for each core: most tests wait for the processes that they start."""
    return 3 * (os.cpu_count() or 1)


@pytest.fixture(autouse=True)
def no_log_level_of_another_test() -> Iterator[None]:
    """Take back what a test configures of structlog: the level of one would hide the lines of the next."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def files_settle_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a secret's file believed as soon as it has changed, as it is once it stands still."""
    monkeypatch.setattr("retention.settings.secret.SETTLED_S", 0.0)


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> Iterator[str]:
    """Yield the DSN of a server whose role may create databases. The long tests' fills gigabytes."""
    with running_server(small="not long" in pytestconfig.getoption("markexpr")) as dsn:
        yield dsn


@pytest.fixture(scope="session")
def template(postgres: str) -> Iterator[str]:
    """Yield the name of the database that each test's own is a copy of."""
    with template_database(postgres) as name:
        yield name


@pytest.fixture(scope="session")
def front(postgres: str) -> Iterator[str]:
    """Yield the DSN by which tests reach the server: its own or, with RETENTION_TEST_PGBOUNCER=1, PgBouncer's."""
    if not pgbouncer.wanted():
        yield postgres
        return
    with pgbouncer.running_pgbouncer(postgres) as dsn:
        yield dsn


@pytest.fixture
def database_dsn(postgres: str, front: str, template: str) -> Iterator[str]:
    """Yield the DSN of a database of the test's own: our schema, and the operator's sample table, view and function."""
    with new_database(postgres, template) as name:
        yield make_conninfo(front, dbname=name)


@pytest.fixture
def direct_dsn(postgres: str, database_dsn: str) -> str:
    """Return the DSN of the test's own database that leads straight to the server, past a proxy or pooler."""
    return make_conninfo(postgres, dbname=conninfo_to_dict(database_dsn)["dbname"])


@pytest.fixture
async def database(database_dsn: str) -> AsyncIterator[Database]:
    """Yield the test's own database, opened."""
    async with open_database(lambda: database_dsn) as database:
        yield database


@pytest.fixture
async def world(database_dsn: str, direct_dsn: str, tmp_path: Path) -> AsyncIterator[World]:
    """Yield an operator's database and a vendor that is up, with the command line between them."""
    async with make_world(database_dsn, tmp_path, direct_dsn) as world:
        yield world


@pytest.fixture
def book(database: Database) -> Book:
    """Return a writer of rows into the test's own ledger."""
    return Book(database)


@pytest.fixture
async def vendor() -> AsyncIterator[Simulator]:
    """Yield a simulated vendor with one open round."""
    async with Simulator([open_round()], secure_login="acme", token="s3cret") as simulator:
        yield simulator


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    """Yield an HTTP client."""
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture(params=["plain", "general"])
def way_of_replies(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read replies the short way where they are plain, and then all of them by aiohttp's parser."""
    if request.param == "general":
        monkeypatch.setattr("retention.vendor_api.reply_protocol.read_plain_reply", lambda _data: None)


@pytest.fixture(scope="session")
def read_pair() -> Iterator[ReadPair]:
    """Yield a primary and its standby, for all tests of plans on a replica."""
    only_on_our_own()
    pair = ReadPair()
    try:
        asyncio.run(pair.make())
        yield pair
    finally:
        asyncio.run(pair.remove())


@pytest.fixture
async def pair_name(read_pair: ReadPair) -> AsyncIterator[str]:
    """Yield the name of the test's own database on both servers."""
    async with read_pair.database() as name:
        yield name


@pytest.fixture
async def paired(read_pair: ReadPair, pair_name: str, tmp_path: Path) -> AsyncIterator[World]:
    """Yield a world whose database is on the primary of that pair."""
    dsn, direct = (make_conninfo(read_pair.primary.dsn(user), dbname=pair_name) for user in (JOB, "postgres"))
    async with make_world(dsn, tmp_path, direct) as world:
        yield world


@pytest.fixture
def replica(read_pair: ReadPair, pair_name: str) -> dict[str, str]:
    """Return the environment of a command that plans on the standby."""
    return reading(make_conninfo(read_pair.standby.dsn(JOB), dbname=pair_name))
