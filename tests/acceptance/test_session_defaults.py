"""Session defaults of the operator's database and roles: under each of them our statements do the same."""

from __future__ import annotations

import asyncio
import signal
from contextlib import ExitStack
from difflib import ndiff
from pprint import pformat
from typing import TYPE_CHECKING, Any, cast

import psycopg.sql
import pytest
from psycopg.conninfo import conninfo_to_dict
from support.job_login import as_job
from support.pgbouncer import MISSING, pgbouncer_version, program, running_pgbouncer
from support.replica import finished, schedule, serve, until
from support.whole_job import new_place, outcomes, steady

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import LiteralString

    from _pytest.mark import ParameterSet
    from support.whole_job import Level
    from support.world import World

FORMATS = {
    "DateStyle": "German, DMY",
    "IntervalStyle": "sql_standard",
    "TimeZone": "Asia/Kathmandu",
    "timezone_abbreviations": "India",
    "extra_float_digits": "-15",
    "bytea_output": "escape",
    "xmlbinary": "hex",
    "standard_conforming_strings": "off",
    "escape_string_warning": "on",
    "backslash_quote": "off",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "quote_all_identifiers": "on",
    "lc_messages": "C",
    "lc_monetary": "C",
    "lc_numeric": "C",
    "lc_time": "C",
    "client_encoding": "LATIN1",
    "client_min_messages": "debug1",
    "search_path": "nowhere",
    "default_text_search_config": "pg_catalog.german",
}
LIMITS = {
    "statement_timeout": "20ms",
    "lock_timeout": "1ms",
    "idle_in_transaction_session_timeout": "20ms",
    "idle_session_timeout": "2s",
    "transaction_timeout": "40ms",
    "work_mem": "64kB",
    "maintenance_work_mem": "1MB",
    "temp_buffers": "800kB",
    "temp_file_limit": "0",
    "hash_mem_multiplier": "1",
    "logical_decoding_work_mem": "64kB",
}
TRANSACTIONS = {
    "default_transaction_read_only": "on",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "row_security": "off",
    "synchronous_commit": "off",
    "check_function_bodies": "off",
    "exit_on_error": "on",
    "restrict_nonsystem_relation_kind": "view",
    "default_toast_compression": "pglz",
    "default_table_access_method": "unusual",
    "createrole_self_grant": "set, inherit",
    "plpgsql.variable_conflict": "use_variable",
    "plpgsql.extra_errors": "all",
    "event_triggers": "off",
    "lo_compat_privileges": "on",
    "track_activities": "off",
    "track_counts": "off",
    "application_name": "theirs",
}
PLANNER = {
    "enable_indexscan": "off",
    "enable_indexonlyscan": "off",
    "enable_bitmapscan": "off",
    "enable_nestloop": "off",
    "enable_hashjoin": "off",
    "enable_hashagg": "off",
    "enable_mergejoin": "off",
    "enable_seqscan": "off",
    "enable_sort": "off",
    "enable_partition_pruning": "off",
    "enable_material": "off",
    "enable_memoize": "off",
    "enable_parallel_append": "off",
    "enable_group_by_reordering": "off",
    "enable_presorted_aggregate": "off",
    "enable_self_join_elimination": "off",
    "jit": "on",
    "jit_above_cost": "0",
    "jit_inline_above_cost": "0",
    "jit_optimize_above_cost": "0",
    "plan_cache_mode": "force_generic_plan",
    "constraint_exclusion": "off",
    "from_collapse_limit": "1",
    "join_collapse_limit": "1",
    "geqo_threshold": "2",
    "debug_parallel_query": "on",
    "force_parallel_mode": "on",
    "max_parallel_workers_per_gather": "8",
    "parallel_setup_cost": "0",
    "parallel_tuple_cost": "0",
    "min_parallel_table_scan_size": "0",
    "random_page_cost": "1000000",
    "cursor_tuple_fraction": "0.0001",
    "default_statistics_target": "1",
    "gin_fuzzy_search_limit": "1",
}
ALL: Mapping[str, str] = {**FORMATS, **LIMITS, **TRANSACTIONS, **PLANNER}

# The beginning of each transaction, psql's first message and a pooler's own statements have to finish within these, also
# on a busy machine.
_PATIENT = {name: "10s" for name in LIMITS if name.endswith("_timeout")}
TOGETHER: Mapping[str, Mapping[str, str]] = {
    "limits": {**LIMITS, **_PATIENT, **FORMATS},
    "others": {**TRANSACTIONS, **PLANNER},
}
"""The same in fewer tests: no setting undoes the effect of another one of these."""

OTHER_VALUES = {
    "default_transaction_isolation repeatable read": "repeatable read",
    "search_path without ours": "",
    "jit off": "off",
    "default_toast_compression lz4": "lz4",
}
"""More values of settings that are named before."""


POOLERS = {
    "a pooler": "",
    "a pooler that ignores parameters": "ignore_startup_parameters = extra_float_digits, options, search_path",
}
if (pgbouncer_version() or (0, 0)) >= (1, 21):
    POOLERS["a pooler without prepared statements"] = "max_prepared_statements = 0"
    POOLERS["a pooler with prepared statements"] = "max_prepared_statements = 200"

pooled = pytest.mark.skipif(program() is None, reason=MISSING)


@pytest.fixture(scope="session")
def plain(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """What comes of the whole job without any default of the operator's."""
    with new_place(postgres) as place:
        return asyncio.run(outcomes(place, postgres, tmp_path_factory.mktemp("plain"), {}))


def under(server: str, folder: Path, defaults: Mapping[str, str], level: Level, pooler: str | None) -> dict[str, Any]:
    """Do the whole job under these defaults, directly or through PgBouncer with more of a configuration."""
    with ExitStack() as stack:
        place = stack.enter_context(new_place(server))
        front = server if pooler is None else stack.enter_context(running_pgbouncer(server, more=pooler))
        return asyncio.run(outcomes(place, front, folder, defaults, level))


def changed(found: Mapping[str, Any], plain: Mapping[str, Any]) -> list[str]:
    """The lines of each step that came out otherwise."""
    before, after = (
        [f"{step}: {line}" for step in one for line in pformat(one[step]).splitlines()] for one in (plain, found)
    )
    return [line[:400] for line in ndiff(before, after) if line[0] in "+-"]


def known(server: str, setting: str) -> bool:
    """Whether this version has a setting; PL/pgSQL's own are known once it is loaded."""
    with psycopg.connect(server) as connection:
        connection.execute("LOAD 'plpgsql'")
        row = connection.execute("SELECT current_setting(%s, true) IS NOT NULL", [setting]).fetchone()
    return row == (True,)


def test_a_root_that_begins_as_a_formula_is_compared_as_any_other() -> None:
    """Of the ends of two CSV lines nothing is left to compare but the words, whatever sign a root begins with."""
    rest = "x" * 42 + "=,retention"
    assert steady(f"UTC,14,a{rest}") == steady(f"UTC,15,'+{rest}") == "UTC,<size>,<root>,retention"


@pytest.mark.parametrize(
    ("group", "level", "pooler"),
    [
        ("limits", "role", None),
        ("others", "database", None),
        pytest.param("limits", "database", "a pooler that ignores parameters", marks=pooled),
        pytest.param("others", "role", "a pooler", marks=pooled),
    ],
)
def test_no_session_default_changes_a_job(
    postgres: str, plain: Mapping[str, Any], tmp_path: Path, group: str, level: Level, pooler: str | None
) -> None:
    """Under many odd defaults at once, the whole job comes out as in a database without any."""
    assert (0, 3, 4, 143) == (plain["check"][0], plain["paused run"][0], plain["run"][0], plain["serve"])
    assert [] == changed(under(postgres, tmp_path, TOGETHER[group], level, pooler and POOLERS[pooler]), plain)


def grid() -> Iterator[ParameterSet]:
    """Each default at each level. A quick look at the grid takes each default at one of the levels, in turn."""
    levels: list[tuple[Level, str | None]] = [("database", None), ("role", None), *(("role", one) for one in POOLERS)]
    for row, setting in enumerate([*ALL, *OTHER_VALUES]):
        for column, (level, pooler) in enumerate(levels):
            marks = [pooled] if pooler else []
            if (row + column) % len(levels):
                marks.append(pytest.mark.exhaustive)
            yield pytest.param(setting, level, pooler, marks=marks)


@pytest.mark.long
@pytest.mark.parametrize(("setting", "level", "pooler"), [*grid()])
def test_no_session_default_changes_a_job_by_itself(
    postgres: str, plain: Mapping[str, Any], tmp_path: Path, setting: str, level: Level, pooler: str | None
) -> None:
    """The whole grid: each default alone, as the database's and as the roles', directly and through each pooler."""
    name, value = setting.partition(" ")[0], {**ALL, **OTHER_VALUES}[setting]
    if not known(postgres, name):
        pytest.skip("another version's")
    assert [] == changed(under(postgres, tmp_path, {name: value}, level, pooler and POOLERS[pooler]), plain)


@pytest.mark.long
def test_a_database_without_an_encoding_changes_no_job(postgres: str, plain: Mapping[str, Any], tmp_path: Path) -> None:
    """In SQL_ASCII the whole job comes out as in UTF8, letters beyond ASCII included."""
    with new_place(postgres, encoding="SQL_ASCII") as place:
        assert [] == changed(asyncio.run(outcomes(place, postgres, tmp_path, {})), plain)


async def test_check_names_a_session_default_that_it_cannot_set(world: World, postgres: str) -> None:
    """A default that only the operator can change fails `check`, by its name, its value and the mend."""
    name = psycopg.sql.Identifier(str(conninfo_to_dict(world.direct)["dbname"]))
    async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as server:
        await server.execute(psycopg.sql.SQL("ALTER DATABASE {} SET session_replication_role = replica").format(name))
    done = await world.command("check", "--json")
    (found,) = [one["message"] for one in done.json["checks"] if one["name"] == "session"]
    assert 2 == done.code
    assert "session_replication_role is replica" in found
    assert "SET session_replication_role = origin" in found


async def test_row_level_security_on_our_tables_is_refused(world: World) -> None:
    """Policies would hide holds and pauses without an error: `check` and each command name the tables and the mend."""
    await world.seed(1)
    as_job(world)
    await world.sql("ALTER TABLE retention.pauses ENABLE ROW LEVEL SECURITY")
    await world.sql("ALTER TABLE retention.holds ENABLE ROW LEVEL SECURITY")
    checked = await world.command("check", "--json")
    (found,) = [one["message"] for one in checked.json["checks"] if one["name"] == "row security"]
    ran = await world.command("run", "nightly", "--yes")
    held = await world.command("hold", "list")
    for code, said in ((checked.code, found), (ran.code, ran.said), (held.code, held.said)):
        assert (2, True) == (code, "row-level security on retention.holds and 1 more hides rows" in said), said
        assert "ALTER TABLE retention.pauses DISABLE ROW LEVEL SECURITY" in said
    assert [] == world.cancels

    for mend in found.partition(": ")[2].split("; "):
        await world.sql(cast("LiteralString", mend))
    assert 0 == (await world.command("run", "nightly", "--yes")).code


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
