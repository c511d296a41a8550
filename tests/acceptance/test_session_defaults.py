"""Session defaults of the operator's database: under each of them our statements do the same."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import psycopg
import psycopg.rows
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from support.pgbouncer import MISSING, program, running_pgbouncer
from support.replica import finished, schedule, serve, until
from support.world import make_world

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from support.world import World

FORMATS = {
    "datestyle": "German",
    "intervalstyle": "sql_standard",
    "timezone": "Asia/Kathmandu",
    "extra_float_digits": "-15",
    "bytea_output": "escape",
    "standard_conforming_strings": "off",
    "backslash_quote": "off",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "quote_all_identifiers": "on",
    "lc_numeric": "C",
    "timezone_abbreviations": "India",
    "client_min_messages": "debug1",
    "search_path": "nowhere",
}
LIMITS = {
    "statement_timeout": "1ms",
    "lock_timeout": "1ms",
    "idle_in_transaction_session_timeout": "1ms",
    "idle_session_timeout": "2s",
    "transaction_timeout": "20ms",
    "work_mem": "64kB",
    "temp_file_limit": "0",
}
TRANSACTIONS = {
    "default_transaction_read_only": "on",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "row_security": "off",
    "synchronous_commit": "off",
    "check_function_bodies": "off",
}
PLANNER = {
    "enable_indexscan": "off",
    "enable_bitmapscan": "off",
    "enable_nestloop": "off",
    "enable_seqscan": "off",
    "enable_sort": "off",
    "jit": "on",
    "jit_above_cost": "0",
    "plan_cache_mode": "force_generic_plan",
    "from_collapse_limit": "1",
    "join_collapse_limit": "1",
    "debug_parallel_query": "on",
    "force_parallel_mode": "on",
    "cursor_tuple_fraction": "0.0001",
    "gin_fuzzy_search_limit": "1",
}
GROUPS: Mapping[str, Mapping[str, str]] = {
    "formats": FORMATS,
    "limits": LIMITS,
    "transactions": TRANSACTIONS,
    "planner": PLANNER,
}
# The beginning of each transaction and a pooler's own statements have to finish within these, also on a busy machine.
_PATIENT = {name: "10s" for name, value in LIMITS.items() if value.endswith("s")}
TOGETHER: Mapping[str, Mapping[str, str]] = {
    "limits": {**LIMITS, **_PATIENT},
    "all others": {**FORMATS, **TRANSACTIONS, **PLANNER},
}
"""The same in fewer tests: no setting undoes the effect of another one of these."""
EACH = {name: value for group in GROUPS.values() for name, value in group.items()}

RELIED_ON = {
    "statement_timeout": "0",
    "transaction_timeout": "0",
    "transaction_read_only": "off",
    "transaction_isolation": "read committed",
    "datestyle": "ISO",
    "intervalstyle": "postgres",
    "extra_float_digits": "1",
    "array_nulls": "on",
    "row_security": "on",
    "enable_indexscan": "on",
    "jit": "off",
    "plan_cache_mode": "auto",
    "work_mem": "4MB",
}
"""The settings that a statement sees which calls the operator's function, under any defaults."""

WATCHED = """
CREATE TABLE public.seen AS SELECT name, setting FROM pg_settings WHERE false;
CREATE TRIGGER watched AFTER UPDATE ON public.rounds FOR EACH STATEMENT EXECUTE FUNCTION public.note_settings()
"""
NOTE = """
CREATE FUNCTION public.note_settings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.seen SELECT lower(name), current_setting(name) FROM pg_catalog.pg_settings
    WHERE lower(name) = ANY (ARRAY[
        'statement_timeout', 'transaction_timeout', 'transaction_read_only', 'transaction_isolation', 'datestyle',
        'intervalstyle', 'extra_float_digits', 'array_nulls', 'row_security', 'enable_indexscan', 'jit',
        'plan_cache_mode', 'work_mem']);
    RETURN NULL;
END $$
"""

WAYS = ["direct", pytest.param("pooled", marks=pytest.mark.skipif(program() is None, reason=MISSING))]


@pytest.fixture
def front(postgres: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield the DSN that leads to the server as the test wants it: straight, or through PgBouncer."""
    with ExitStack() as stack:
        yield (
            stack.enter_context(running_pgbouncer(postgres)) if getattr(request, "param", "") == "pooled" else postgres
        )


async def set_defaults(world: World, server: str, settings: Mapping[str, str]) -> list[str]:
    """Make these the database's own, as far as the server knows them; returns which."""
    name = str(conninfo_to_dict(world.direct)["dbname"])
    done = []
    async with await psycopg.AsyncConnection.connect(server, autocommit=True) as connection:
        for setting, value in settings.items():
            try:
                await connection.execute(
                    sql.SQL("ALTER DATABASE {} SET {} = {}").format(
                        sql.Identifier(name), sql.Identifier(setting), sql.Literal(value)
                    )
                )
            except psycopg.errors.UndefinedObject:
                continue  # another version's
            done.append(setting)
    return done


async def watched_world(world: World, rounds: int) -> Sequence[str]:
    """Open rounds, and have the closing statement's settings noted."""
    ids = await world.seed(rounds)
    for statement in (NOTE, *WATCHED.strip().split(";\n")):
        await world.sql(statement)
    return ids


@pytest.mark.parametrize("front", WAYS, indirect=True)
@pytest.mark.parametrize("group", TOGETHER)
async def test_no_session_default_changes_a_run(postgres: str, database_dsn: str, tmp_path: Path, group: str) -> None:
    """Under each kind of odd default `check` passes, and a run cancels, closes, reports and proves its rounds."""
    direct = make_conninfo(postgres, dbname=conninfo_to_dict(database_dsn)["dbname"])
    async with make_world(database_dsn, tmp_path, direct) as world:
        ids = await watched_world(world, 3)
        assert len(await set_defaults(world, postgres, TOGETHER[group])) > 4

        checked = await world.command("check", "--json")
        ran = await world.command("run", "nightly", "--yes", "--json")
        reported = await world.command("report", "--format", "json")
        proved = await world.command("audit", "verify", "--json")

        assert (0, True) == (checked.code, "session" in {one["name"] for one in checked.json["checks"]}), checked.out
        assert (0, {"cancelled": 3}, 0) == (ran.code, ran.json["states"], ran.json["conflicts"]), ran.err
        placed = {"count": 1, "signatures": 0, "newest": ran.json["checkpoint"]}
        assert (0, placed) == (proved.code, proved.json["checkpoints"]), proved.out + proved.err
        found = {(one["round_id"], one["amount"], one["opened_at"][-1]) for one in reported.json["rounds"]}
        assert {(one, "1.5", "Z") for one in ids} == found
        seen = {row.name: row.setting for row in await seen_settings(postgres, direct)}
        assert {name: value for name, value in RELIED_ON.items() if name in seen} == {
            name: value.partition(",")[0] if name == "datestyle" else value for name, value in seen.items()
        }


async def seen_settings(server: str, direct: str) -> Sequence[Any]:
    """Read the noted settings, past the defaults."""
    name = conninfo_to_dict(direct)["dbname"]
    async with await psycopg.AsyncConnection.connect(server, autocommit=True) as connection:
        await connection.execute(sql.SQL("ALTER DATABASE {} RESET ALL").format(sql.Identifier(str(name))))
    async with await psycopg.AsyncConnection.connect(direct, row_factory=psycopg.rows.namedtuple_row) as connection:
        return await (await connection.execute("SELECT DISTINCT name, setting FROM public.seen")).fetchall()


COMMANDS: Sequence[Sequence[str]] = (
    *(["db", "migrate"], ["db", "status"], ["check"], ["plan", "nightly"], ["run", "nightly", "--yes"]),
    *(["runs", "list"], ["report", "--all"], ["review", "list"], ["explain", "--partner", "acme", "--round", "r0"]),
    *(["pause", "--by", "a", "--reason", "b"], ["resume", "--by", "a"]),
    *(["hold", "add", "--round", "r-none", "--reason", "c", "--by", "a"], ["hold", "list"]),
)


@pytest.mark.long
@pytest.mark.parametrize("front", WAYS, indirect=True)
@pytest.mark.parametrize("setting", EACH)
async def test_every_command_works_under_each_default(
    postgres: str, database_dsn: str, tmp_path: Path, setting: str
) -> None:
    """The whole matrix: each command ends with 0 under each odd default alone."""
    direct = make_conninfo(postgres, dbname=conninfo_to_dict(database_dsn)["dbname"])
    async with make_world(database_dsn, tmp_path, direct) as world:
        await world.seed(3)
        if not await set_defaults(world, postgres, {setting: EACH[setting]}):
            pytest.skip("another version's")
        ends = {" ".join(words): await world.command(*words) for words in COMMANDS}
        assert {} == {words: done.out + done.err for words, done in ends.items() if done.code}


async def test_check_names_a_session_default_that_it_cannot_set(world: World, postgres: str) -> None:
    """A default that only the operator can change fails `check`, by its name, its value and the mend."""
    await set_defaults(world, postgres, {"session_replication_role": "replica"})
    done = await world.command("check", "--json")
    (found,) = [one["message"] for one in done.json["checks"] if one["name"] == "session"]
    assert 2 == done.code
    assert "session_replication_role is replica" in found
    assert "SET session_replication_role = origin" in found


async def test_a_cancelled_statement_is_told_as_that(world: World) -> None:
    """A statement that the server cancels is not a lost database: the command says so, and `serve` at once."""
    await world.seed(1)
    (view,) = await world.sql("SELECT pg_get_viewdef('retention.open_rounds'::regclass) AS text")
    await world.sql("CREATE SEQUENCE public.tries")
    await world.sql(
        "CREATE FUNCTION public.cancelled() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN"
        " PERFORM nextval('public.tries'); RAISE query_canceled USING MESSAGE = 'canceling statement'; END $$"
    )
    columns = view.text.rstrip("; \n")
    await world.sql(f"CREATE OR REPLACE VIEW retention.open_rounds AS {columns} AND public.cancelled()")
    planned = await world.command("plan", "nightly")
    assert 5 == planned.code
    assert "went away" not in planned.err
    assert "somebody cancelled the statement" in planned.err

    await schedule(world)
    replica = await serve(world)
    await until(lambda: world.sql("SELECT FROM public.tries WHERE last_value > 2"))
    await world.sql(f"CREATE OR REPLACE VIEW retention.open_rounds AS {columns}")
    await until(lambda: finished(world))
    done = await replica.stopped(signal.SIGTERM)
    (told,) = [event for event in done.events if event["event"] == "schedule.deferred"]
    assert ("nightly", True) == (told["policy"], told["problem"].startswith("the database did not finish: "))
