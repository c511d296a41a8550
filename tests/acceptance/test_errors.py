"""Each error is reported once, with its object and its mend and the right exit code; no work is half done."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, Any, LiteralString

import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from support.bare_database import as_role
from support.forked import start_command
from support.replica import free_port
from support.world import Running

from retention.ledger.queries import query, sql_root, statements

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from support.world import Done, World

MIGRATIONS = sorted(file.name.removesuffix(".sql") for file in (sql_root() / "migrations").iterdir())
"""Every migration there is, by name."""

NOBODY = "00000000-0000-4000-8000-000000000000"

VALID = """
[partners.acme]
secure_login = "login-5f0c2a"
api_url = "https://api.example.invalid"
token = "token-9d41c7b2e6"
rate = 20
[policies.nightly]
open_longer_than = "72h"
max_rounds = 5
"""


async def retention(folder: Path, *words: str, environ: Mapping[str, str] | None = None) -> Done:
    """Run a command in a folder, with only the given variables of ours in its environment."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("RETENTION_", "PG"))}
    process = await start_command(*words, folder=folder, environ={**inherited, **(environ or {})})
    return await Running(process).ended()


def faults_of(done: Done, code: int, *fragments: str, lines: int = 1) -> list[str]:
    """Name each fault of an error message: its code, its place, its length, its words."""
    told = done.err.splitlines()
    found = [f"no {fragment!r}" for fragment in fragments if fragment not in done.err]
    if done.code != code:
        found.append(f"exit code {done.code}")
    if done.out:
        found.append("something on stdout")
    if not done.err.startswith("error: ") or len(told) != lines or "Traceback" in done.err:
        found.append("not one message")
    return [f"{problem}: {done.err or done.out}" for problem in found]


WRONG_FILES: dict[str, tuple[str, int, list[str]]] = {
    # the fault; the file; the number of problems; their text
    "no TOML": ("[partners.acme\n", 1, ["retention.toml: is not TOML", "line 1"]),
    "several": (
        VALID.replace("rate = 20", 'rate = "20"')
        .replace("max_rounds = 5", "max_round = 5")
        .replace("https://api", "http://api")
        .replace('"72h"', '"72"')
        + 'partners = ["acmee"]\n[database]\ndsn = "dbname=x hunter2"\n',
        7,
        [
            "partners.acme.rate: must be a number of requests per second, from 0.000001 to 1000000000; write rate = 20",
            "policies.nightly.max_round: unknown key; did you mean max_rounds?",
            "policies.nightly.max_rounds: missing; write max_rounds = 5000",
            "partners.acme.api_url: would send the token unencrypted; write https://",
            "policies.nightly.open_longer_than: ",
            "policies.nightly.partners: there is no [partners.acmee]",
            "database.dsn: is not understood by libpq; write postgresql://",
        ],
    ),
}


@pytest.mark.parametrize("case", WRONG_FILES)
async def test_a_wrong_configuration_is_told_line_by_line(tmp_path: Path, case: str) -> None:
    """Each problem of the file has a line that names file, key and mend, and no secret is repeated."""
    text, lines, fragments = WRONG_FILES[case]
    (tmp_path / "retention.toml").write_text(text)
    done = await retention(tmp_path, "run")
    assert [] == faults_of(done, 2, *fragments, lines=lines)
    assert not any(secret in done.err for secret in ("login-5f0c2a", "token-9d41c7b2e6", "hunter2", "example.invalid"))


async def test_a_configuration_that_is_not_there(tmp_path: Path) -> None:
    """A missing configuration, a missing named file and an unknown variable are each reported with their mend."""
    (tmp_path / "valid.toml").write_text(VALID)
    none, missing, variable = await asyncio.gather(
        retention(tmp_path, "plan"),
        retention(tmp_path, "--config", "retentoin.toml", "plan"),
        retention(
            tmp_path, "plan", environ={"RETENTION_CONFIG": "valid.toml", "RETENTION_PARTNERS__ACME__TOKNE": "hunter2"}
        ),
    )
    assert [] == faults_of(none, 2, "no configuration", "`retention init`")
    assert [] == faults_of(missing, 2, "retentoin.toml: no such file", "--config", "`retention init`")
    assert [] == faults_of(variable, 2, "RETENTION_PARTNERS__ACME__TOKNE: unknown variable; did you mean")
    assert "hunter2" not in variable.err


ASKED_WRONGLY: list[tuple[tuple[str, ...], list[str]]] = [
    # Words that no command understands.
    (("run", "--resume", "no-uuid"), ["--resume", "'no-uuid' is no run id; write its first 8 digits"]),
    (("run", "--enforced"), ["--enforced", "--enforce"]),
    (("pause", "--reason", "x"), ["--by"]),
    (("report", "--format", "xml"), ["--format", "'xml'", "json"]),
    # Options that exclude or require each other.
    (("run", "--dry-run", "--enforce"), ["--dry-run and --enforce exclude each other"]),
    (("run", "nightly", "--resume", NOBODY), ["--resume", "leave POLICY"]),
    (("run", "--override", "so what", "--by", "tess"), ["--override goes with --resume RUN_ID"]),
    # Missing objects.
    (("run", "nightlie"), ["there is no policy 'nightlie'; known: nightly"]),
    (("run", "--market", "GB"), ["--market GB: not in policy 'nightly', which allows MT, SE"]),
    (("run", "--resume", NOBODY), [f"there is no run {NOBODY}; `retention runs list`"]),
    (("runs", "show", NOBODY), [f"there is no run {NOBODY}; `retention runs list`"]),
    (
        ("review", "resolve", "7", "--as", "rejected", "--by", "tess", "--note", "x"),
        ["no cancellation 7", "review list"],
    ),
    # Impossible values.
    (("run", "--older-than", "soon"), ["--older-than 'soon'", "72h"]),
    (("report", "--from", "yesterday"), ["--from 'yesterday': not a time; write 2026-01-31"]),
    (("report", "--from", "2026-02-01", "--to", "2026-01-31"), ["--from must be before --to"]),
    (("report", "-o", "nowhere/report.csv"), ["nowhere/report.csv", "name a file in a folder that can be written to"]),
    (("hold", "add", "--reason", "x", "--by", "tess"), ["a hold on nothing; name a partner"]),
    (("init",), ["retention.toml is there already; it is left as it is"]),
]


async def test_a_wrong_command_line_exits_2(world: World) -> None:
    """A wrong question ends with one line and exit 2; no call is made, and the ledger stays empty."""
    world.policy["markets"] = ["MT", "SE"]
    await world.seed(2)
    turn = asyncio.Semaphore(2)

    async def ask(words: tuple[str, ...], fragments: list[str]) -> list[str]:
        async with turn:
            done = await world.command(*words)
        return [f"{' '.join(words)}: {problem}" for problem in faults_of(done, 2, *fragments)]

    config = world.configure().read_bytes()
    found = await asyncio.gather(*(ask(*case) for case in ASKED_WRONGLY))
    assert [] == [problem for problems in found for problem in problems]
    assert [] == world.vendor.requests
    assert [] == await world.sql(
        "SELECT run_id::text FROM retention.runs UNION ALL SELECT hold_id::text FROM retention.holds"
        " UNION ALL SELECT pause_id::text FROM retention.pauses"
    )
    assert ["retention.toml"] == [path.name for path in world.folder.iterdir()]
    assert config == world.configure().read_bytes()


VIEW: LiteralString = """
DROP VIEW retention.open_rounds;
CREATE VIEW retention.open_rounds AS
SELECT partner, market, game AS game_id, user_id, round_id, opened_at AT TIME ZONE 'UTC' AS opened_at, last_activity_at,
       currency, stake::float8 AS stake, bet_tx AS bet_transaction_id
FROM public.rounds WHERE status = 0
"""

WRONG_DATABASES: dict[str, tuple[LiteralString, list[str]]] = {
    "wrong types": (
        VIEW,
        [
            "retention.open_rounds: column opened_at is timestamp without time zone; write opened_at AT TIME ZONE",
            "column stake is double precision; cast it, stake::numeric",
        ],
    ),
    "no view": ("DROP VIEW retention.open_rounds", ["there is no view retention.open_rounds; `retention db sample "]),
    "no schema": ("DROP SCHEMA retention CASCADE", ["there is no schema `retention`; run `retention db migrate`"]),
    "not migrated": (
        "DELETE FROM retention.schema_migrations",
        [f"the schema lacks {', '.join(MIGRATIONS)}; run `retention db migrate`"],
    ),
}


@pytest.mark.parametrize("case", WRONG_DATABASES)
async def test_a_database_that_is_not_ready(world: World, case: str) -> None:
    """Before any plan is made, each lack of the database is named with its mend; no run is left behind."""
    statement, fragments = WRONG_DATABASES[case]
    await world.seed(2)
    await world.sql(statement)
    assert [] == faults_of(await world.command("run"), 2, *fragments)
    assert [] == world.vendor.requests
    if case != "no schema":
        assert [] == await world.sql("SELECT FROM retention.runs")


async def test_without_our_schema_each_command_says_how_to_get_it(world: World) -> None:
    """Every command that needs the ledger names `retention db migrate` where it is not there."""
    await world.sql("DROP SCHEMA retention CASCADE")
    words = [
        ("pause", "--by", "tess", "--reason", "x"),
        ("hold", "list"),
        ("review", "list"),
    ]
    for done in await asyncio.gather(*(world.command(*one) for one in words)):
        assert [] == faults_of(done, 2, "`retention db migrate`")


async def test_a_role_without_privileges(world: World) -> None:
    """The error for a role that may only read names the missing GRANT, before any plan is made."""
    await world.seed(2)
    role = f"clerk_{os.getpid()}"
    name = sql.Identifier(role).as_string()
    owner, world.dsn = world.dsn, as_role(world.dsn, role)
    try:
        for statement in (
            f"CREATE ROLE {name} LOGIN",
            f"GRANT USAGE ON SCHEMA retention TO {name}",
            f"GRANT SELECT ON ALL TABLES IN SCHEMA retention TO {name}",
        ):
            await execute(owner, statement)
        done = await world.command("run")
        assert [] == faults_of(
            done, 2, f"{role} lacks privileges; run sql/operator/roles.sql", f"ON retention.attempts TO {role}"
        )
    finally:
        world.dsn = owner
        await execute(owner, f"DROP OWNED BY {name}")
        await execute(owner, f"DROP ROLE {name}")
    assert [] == await world.sql("SELECT FROM retention.runs")


async def execute(dsn: str, statement: str) -> None:
    """Run a statement that is put together."""
    import psycopg  # noqa: PLC0415

    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute(statement.encode())


async def test_a_database_that_cannot_be_reached(world: World) -> None:
    """A closed port, an unknown role and an unknown database are exit 5 and one line, without the password."""
    dsn = world.dsn
    cases: dict[str, dict[str, Any]] = {
        "onnection refused": {"host": "127.0.0.1", "port": free_port(), "password": "hunter2-hunter2"},
        '"nobody-4711" does not exist': {"user": "nobody-4711", "password": "hunter2-hunter2"},
        '"nowhere-4711" does not exist': {"dbname": "nowhere-4711"},
    }
    for fragment, changes in cases.items():
        world.dsn = make_conninfo(dsn, **changes)
        done = await world.command("run")
        assert [] == faults_of(done, 5, "the database cannot be reached: ", fragment)
        assert "hunter2-hunter2" not in done.err


async def test_a_vendor_that_cannot_be_reached(world: World) -> None:
    """A vendor behind a closed port is exit 5, said in the run's summary and its log; the rounds are not sent."""
    await world.seed(2)
    world.partner |= {"api_url": f"http://127.0.0.1:{free_port()}/secret-path", "max_attempts": 1}
    done = await world.command("run")
    assert 5 == done.code
    assert "unreachable: acme" in done.out
    assert "2 not_sent" in done.out
    assert ["acme"] == [event["partner"] for event in done.events if event["event"] == "partner.unreachable"]
    assert {"not_sent"} == {*(await world.states()).values()}


async def test_the_schema_is_made_once(world: World) -> None:
    """`db migrate` applies pending migrations and can be repeated; `db status` says 2 before and 0 after."""
    await world.sql("DROP SCHEMA retention CASCADE")
    before = await world.command("db", "status")
    assert (2, True) == (before.code, "0001_ledger  pending" in before.out)
    assert "run `retention db migrate`" in before.out
    first = await world.command("db", "migrate")
    assert (
        0,
        "".join(f"applied {name}\n" for name in MIGRATIONS),
        "",
    ) == (
        first.code,
        first.out,
        first.err,
    )
    second, after = await asyncio.gather(world.command("db", "migrate"), world.command("db", "status", "--json"))
    assert (0, "the schema is current\n", "") == (second.code, second.out, second.err)
    assert (0, True, MIGRATIONS) == (
        after.code,
        after.json["current"],
        [one["name"] for one in after.json["migrations"]],
    )


async def test_db_sample_prints_each_sample(tmp_path: Path) -> None:
    """`db sample` prints view, function, indexes and roles, and needs neither configuration nor database."""
    done = await retention(tmp_path, "db", "sample")
    assert (0, "") == (done.code, done.err)
    for words in (
        "CREATE OR REPLACE VIEW retention.open_rounds",
        "CREATE OR REPLACE FUNCTION retention.close_rounds",
        "CREATE INDEX CONCURRENTLY",
        "CREATE ROLE retention_job",
    ):
        assert words in done.out


async def test_a_statement_is_printed_whole(tmp_path: Path) -> None:
    """`db sql` lists the statements and prints one without includes, from no configuration and no database."""
    listed, printed, short = await asyncio.gather(
        retention(tmp_path, "db", "sql"),
        retention(tmp_path, "db", "sql", "claims/claim_rounds"),
        retention(tmp_path, "db", "sql", "describe_session"),
    )
    assert (0, "", list(statements())) == (
        listed.code,
        listed.err,
        [line.split()[0] for line in listed.out.splitlines()],
    )
    assert (0, "") == (printed.code, printed.err)
    assert _code(query("claims/claim_rounds")) == _code(printed.out)
    assert "-- shared/gate.sql" in printed.out
    assert "FOR UPDATE OF c SKIP LOCKED" in printed.out
    assert "-- include" not in printed.out
    assert (0, True) == (short.code, "NOT LIKE 'ISO%'" in short.out)


def _code(statement: str) -> list[str]:
    """The lines of a statement without comments and indentation."""
    return [line.strip() for line in statement.splitlines() if line.strip() and not line.strip().startswith("--")]


async def test_an_unknown_statement_is_answered_with_near_names(tmp_path: Path) -> None:
    """`db sql` with a name that no statement has exits with 2, and names statements that are near it."""
    near, far = await asyncio.gather(
        retention(tmp_path, "db", "sql", "claim_round"), retention(tmp_path, "db", "sql", "zzzzzz")
    )
    assert [] == faults_of(near, 2, "there is no such statement; near it: claims/claim_rounds")
    assert [] == faults_of(far, 2, "there is no such statement; `retention db sql` lists them")


async def test_the_configuration_of_init_loads(world: World) -> None:
    """`init` writes a private file that loads as it stands: with a database beside it, `plan` works at once."""
    path = world.folder / "new.toml"
    done = await retention(world.folder, "--config", "new.toml", "init")
    assert (0, "") == (done.code, done.err)
    assert 0o600 == path.stat().st_mode & 0o777
    done = await retention(
        world.folder, "--config", "new.toml", "plan", "--json", environ={"RETENTION_DATABASE__DSN": world.dsn}
    )
    assert (0, "dry_run", 0) == (done.code, done.json["mode"], done.json["rounds"]), done.err
    assert json.dumps(world.dsn) not in path.read_text()
