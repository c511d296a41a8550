"""Servers that only speak PostgreSQL's protocol are refused by name, and so are old versions of PostgreSQL.

Each is a real PostgreSQL behind a proxy that has it call itself another server.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

import pytest
from psycopg.conninfo import make_conninfo
from support.fleet import dsn_through
from support.masquerade import Masquerade
from support.postgres import address
from support.proxy import Proxy
from support.psql import run_script

from retention.ledger.migration_script import migration_script

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from support.world import World

MEND = "name a PostgreSQL of version 14 to 18 in database.dsn"


class Server(NamedTuple):
    """A server: its parameters at login, its version(), the words of its refusal, and a function that it lacks."""

    reported: Mapping[str, str]
    version: str
    words: str
    reason: str
    lacks: str | None = None


REFUSED = {
    "CockroachDB": Server(
        {"server_version": "13.0.0", "crdb_version": "CockroachDB CCL v25.2.1 (x86_64-pc-linux-gnu, built 2025/06/04)"},
        "CockroachDB CCL v25.2.1 (x86_64-pc-linux-gnu, built 2025/06/04 14:02:11, go1.23.7)",
        "the server is CockroachDB (CockroachDB CCL v25.2.1",
        "advisory locks may lock nothing there, and SKIP LOCKED may pass by a lock",
    ),
    "CockroachDB that a pooler speaks for": Server(
        {"server_version": "15.0.0"},
        "CockroachDB CCL v25.2.1 (x86_64-pc-linux-gnu, built 2025/06/04 14:02:11, go1.23.7)",
        "the server is CockroachDB (CockroachDB CCL v25.2.1",
        "advisory locks may lock nothing there, and SKIP LOCKED may pass by a lock",
        lacks="pg_size_bytes",
    ),
    "YugabyteDB": Server(
        {"server_version": "15.2-YB-2025.1.0.0-b0"},
        "PostgreSQL 15.2-YB-2025.1.0.0-b0 on x86_64-pc-linux-gnu, compiled by clang version 17.0.6, 64-bit",
        "the server is YugabyteDB (15.2-YB-2025.1.0.0-b0)",
        "READ COMMITTED may be snapshot isolation",
    ),
    "Redshift": Server(
        {"server_version": "8.0.2", "padb_version": "1.0.121035"},
        "PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2, Redshift 1.0.121035",
        "the server is Amazon Redshift (1.0.121035)",
        "it has no SKIP LOCKED, and does not enforce a unique key",
    ),
    "Aurora DSQL": Server(
        {"server_version": "16.9"},
        "PostgreSQL 16",
        "the server calls itself PostgreSQL 16, as Aurora DSQL does and PostgreSQL does not",
        "the locks of a claim are PostgreSQL's own",
        lacks="jsonb_each_text",
    ),
    "Greenplum": Server(
        {"server_version": "12.12"},
        "PostgreSQL 12.12 (Greenplum Database 7.1.0 build commit:e7c2b1f) on x86_64-pc-linux-gnu, compiled by gcc",
        "PostgreSQL 12.12 is too old",
        "",
    ),
    "Greenplum of a later kernel": Server(
        {"server_version": "14.4"},
        "PostgreSQL 14.4 (Greenplum Database 8.0.0 build dev) on x86_64-pc-linux-gnu, compiled by gcc",
        "the server is Greenplum (PostgreSQL 14.4 (Greenplum Database 8.0.0 build dev))",
        "a claim there may lock the whole table",
    ),
    "RisingWave": Server(
        {"server_version": "14.0.0"},
        "PostgreSQL 14.0.0-RisingWave-2.1.0 (unknown)",
        "the server is RisingWave",
        "has no row locks of PostgreSQL's",
        lacks="pg_is_in_recovery",
    ),
    "PostgreSQL 13": Server(
        {"server_version": "13.23 (Debian 13.23-0+deb11u1)"},
        "PostgreSQL 13.23 (Debian 13.23-0+deb11u1) on x86_64-pc-linux-gnu, compiled by gcc",
        "PostgreSQL 13.23 (Debian 13.23-0+deb11u1) is too old for the ledger",
        "",
    ),
}

COMMANDS = (
    *(("db", "migrate"), ("db", "status"), ("plan", "nightly"), ("run", "nightly", "--yes"), ("serve",)),
    ("pause", "--by", "ann", "--reason", "look"),
)


@asynccontextmanager
async def behind(world: World, masquerade: Masquerade) -> AsyncIterator[None]:
    """The world's commands reach a server that calls itself something else."""
    server, name = address(world.direct)
    async with Proxy(server, postgres=True) as proxy:
        world.dsn = make_conninfo(dsn_through(proxy, "postgres"), dbname=name)
        with proxy.trouble(masquerade):
            yield


@pytest.mark.parametrize("name", REFUSED)
async def test_a_server_on_which_no_claim_is_safe_is_refused_by_name(world: World, name: str) -> None:
    """Each command ends with 2, and names the server, the reason and the mend, before any statement but a look."""
    other = REFUSED[name]
    await world.seed(1)
    masquerade = Masquerade(other.reported, other.version, lacks=other.lacks)
    async with behind(world, masquerade):
        checked = await world.command("check", "--json")
        ended = {words: await world.command(*words) for words in COMMANDS}
    (found,) = [one for one in checked.json["checks"] if one["name"] == "database"]
    for code, said in [(checked.code, found["message"]), *((done.code, done.said) for done in ended.values())]:
        assert (2, 1, 1) == (code, said.count(other.words), said.count(MEND)), said
        assert other.reason in said
        assert "Traceback" not in said
    assert not found["ok"]
    assert {b"session"} >= {part for one in masquerade.statements if (part := _what(one)) != b"version"}
    assert [] == world.cancels
    assert [] == await world.sql("SELECT FROM retention.runs UNION ALL SELECT FROM retention.pauses")


def _what(statement: bytes) -> bytes:
    """Whether a message sets the session up or asks for the version; else the message itself."""
    if b"SELECT version()" in statement:
        return b"version"
    setting = (
        b"BEGIN\0",
        b"ROLLBACK\0",
        b"COMMIT\0",
        b"SET LOCAL statement_timeout = 0\0",
        b"-- session/begin_session",
    )
    return b"session" if any(one in statement for one in setting) else statement


@pytest.mark.parametrize(
    ("version", "number"), [("19beta2", 190000), ("21.3", 210003)], ids=["a beta", "a later version"]
)
async def test_a_postgresql_newer_than_the_tests_is_a_warning(world: World, version: str, number: int) -> None:
    """`check` warns of a version that no test ran on, and the run goes on."""
    ids = await world.seed(2)
    text = f"PostgreSQL {version} on x86_64-pc-linux-gnu, compiled by gcc (Debian 14.2.0-19) 14.2.0, 64-bit"
    async with behind(world, Masquerade({"server_version": version}, text, number)):
        checked = await world.command("check", "--json")
        done = await world.command("run", "nightly", "--yes", "--json")
    (found,) = [one for one in checked.json["checks"] if one["name"] == "database"]
    assert (0, True, True) == (checked.code, found["ok"], found["warning"]), checked.out
    assert f"PostgreSQL {version}, as " in found["message"]
    assert "no test of this version of retention ran on a PostgreSQL newer than 18" in found["message"]
    assert (0, {"cancelled": len(ids)}) == (done.code, done.json["states"]), done.err


CLOUDS: Mapping[str, str] = {
    "Debian": "PostgreSQL 16.10 (Debian 16.10-1.pgdg12+1) on x86_64-pc-linux-gnu, compiled by gcc, 64-bit",
    "Aurora PostgreSQL": "PostgreSQL 16.8 on aarch64-unknown-linux-gnu, compiled by gcc (GCC) 10.5.0, 64-bit",
    "EDB": "PostgreSQL 16.3 (EnterpriseDB Advanced Server 16.3.0) on x86_64-pc-linux-gnu, compiled by gcc, 64-bit",
    "Windows": "PostgreSQL 17.5 on x86_64-windows, compiled by msvc-19.43.34808, 64-bit",
}


@pytest.mark.parametrize("name", CLOUDS)
async def test_a_build_of_postgresql_is_none_of_those(world: World, name: str) -> None:
    """PostgreSQL of a cloud or a distributor counts as PostgreSQL."""
    async with behind(world, Masquerade({"server_version": "16.3"}, CLOUDS[name], 160003)):
        done = await world.command("db", "status", "--json")
    assert (0, True) == (done.code, done.json["current"]), done.err


async def test_the_script_for_psql_refuses_them_too(world: World) -> None:
    """Psql stops at the script's first lines, and changes nothing, where the server is another one or too old."""
    for version, number, words in (
        (REFUSED["CockroachDB"].version, 130000, "is not a PostgreSQL of version 14 or newer"),
        (REFUSED["PostgreSQL 13"].version, 130023, "is not a PostgreSQL of version 14 or newer"),
    ):
        masquerade = Masquerade({}, version, number)
        async with behind(world, masquerade):
            done = await asyncio.to_thread(run_script, world.dsn, script=migration_script())
        assert (3, True) == (done.returncode, words in done.stderr), done.stderr
        assert not [one for one in masquerade.statements if b"CREATE" in one]
